#!/bin/sh
# python-venv.sh DIRECTORY REQUIREMENTS: makes a Python virtual environment with these requirements, once for each
# version of the requirements file.
set -eu
directory=$1 requirements=$2

stamp=$directory/requirements.installed
if [ -x "$directory/bin/python" ] && cmp -s "$requirements" "$stamp"; then
    exit 0
fi
echo "Setting up the Python environment $directory"
rm -rf "$directory"
/usr/bin/python3 -m venv "$directory"
"$directory/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" </dev/null
cp "$requirements" "$stamp"
