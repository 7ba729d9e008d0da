#!/bin/sh
# Writes the manual pages of chappe and of each of its commands, from what the program says of itself.
#
#   Deploy/man.sh BINARY DIRECTORY
#
# DIRECTORY is made if it is not there: chappe.1, chappe-user.1, chappe-user-create.1, … Needs Python 3.
set -eu
if [ $# -ne 2 ]; then
    echo "usage: $0 BINARY DIRECTORY" >&2
    exit 2
fi
mkdir -p "$2"
"$1" --experimental-dump-help | python3 -c '
import json, sys, textwrap

directory, version = sys.argv[1:]
dump = json.load(sys.stdin)["command"]


def escaped(text):
    """A text as roff has it: no line of it is a request, and a hyphen is one that can be typed."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    lines = text.split("\n")
    return "\n".join("\\&" + line if line[:1] in (".", chr(39)) else line for line in lines)


def names(argument):
    return [("--" if name["kind"] == "long" else "-") + name["name"] for name in argument.get("names", [])]


def synopsis(argument):
    value = argument.get("valueName", "")
    if argument["kind"] == "positional":
        text = "\\fI" + escaped(value) + "\\fR"
    else:
        name = argument.get("preferredName") or argument["names"][0]
        text = "\\fB" + escaped(("--" if name["kind"] == "long" else "-") + name["name"]) + "\\fR"
        if argument["kind"] == "option":
            text += " \\fI" + escaped(value) + "\\fR"
    if argument.get("isRepeating"):
        text += " ..."
    return "[" + text + "]" if argument.get("isOptional", True) else text


def page(command, parents):
    path = parents + [command["commandName"]]
    name = "-".join(path)
    arguments = [item for item in command.get("arguments", []) if item.get("shouldDisplay", True)]
    below = [item for item in command.get("subcommands", []) if item.get("shouldDisplay", True) and item["commandName"] != "help"]
    out = [".TH \"%s\" 1 \"\" \"chappe %s\" \"Chappe\"" % (escaped(name.upper()), escaped(version)), ".SH NAME"]
    out.append("%s \\- %s" % (escaped(name), escaped(command.get("abstract", "").rstrip("."))))
    out += [".SH SYNOPSIS", "\\fB%s\\fR" % escaped(" ".join(path))]
    out += [synopsis(item) for item in arguments]
    if below:
        out.append("\\fIcommand\\fR ...")
    if command.get("discussion"):
        out.append(".SH DESCRIPTION")
        for paragraph in command["discussion"].split("\n\n"):
            out += [".PP", escaped(textwrap.dedent(paragraph))]
    if below:
        out.append(".SH COMMANDS")
        for item in below:
            out += [".TP", "\\fB%s\\fR(1)" % escaped("-".join(path + [item["commandName"]])), escaped(item.get("abstract", ""))]
    if arguments:
        out.append(".SH OPTIONS")
        for item in arguments:
            label = ", ".join("\\fB%s\\fR" % escaped(each) for each in names(item))
            if item["kind"] != "flag":
                label = (label + " " if label else "") + "\\fI%s\\fR" % escaped(item.get("valueName", ""))
            help_text = item.get("abstract", "")
            if item.get("defaultValue") is not None:
                help_text += " Default: %s." % item["defaultValue"]
            out += [".TP", label, escaped(help_text) or "\\&"]
    out += [".SH EXIT STATUS", "0: done. 1: refused or failed. 2: wrong usage."]
    if parents:
        out += [".SH SEE ALSO", "\\fB%s\\fR(1)" % escaped("-".join(parents))]
    with open("%s/%s.1" % (directory, name), "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
    for item in below:
        page(item, path)


page(dump, [])
' "$2" "$("$1" --version)"
