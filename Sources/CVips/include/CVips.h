#ifndef CHAPPE_VIPS_H
#define CHAPPE_VIPS_H

#include <stddef.h>

// libvips takes options as variable arguments, which Swift cannot call, and brings a hundred other libraries with it. These few
// functions are all that is used of it; the library is loaded when the first picture comes, so that a server without pictures
// neither waits for it at every start nor carries it in memory.

/// A file or bytes that hold a picture.
typedef struct _VipsSource chappe_source;
/// A decoded picture.
typedef struct _VipsImage chappe_image;

/// What a picture says of itself before it is decoded. Zero `format` for anything that is no picture of a known format.
typedef struct {
    int format;
    int width;
    int height;
    int pages;
    int orientation;
} chappe_picture;

enum { CHAPPE_PICTURE_JPEG = 1, CHAPPE_PICTURE_PNG = 2, CHAPPE_PICTURE_GIF = 3, CHAPPE_PICTURE_WEBP = 4 };

/// Loads and prepares the library, once for the process: from one thread, before all else. Only the loaders of four formats are
/// left: all others were written for trusted files. Not zero if there is no such library.
int chappe_vips_start(void);

/// What was wrong with loading the library; for the log.
const char *chappe_vips_failure(void);

chappe_source *chappe_vips_file(const char *path);
chappe_source *chappe_vips_memory(const void *bytes, size_t count);

/// Releases a source or an image.
void chappe_vips_release(void *object);

/// Forgets the thread's error messages, which would pile up, and its buffers.
void chappe_vips_end_job(void);

/// Reads the head of a picture.
int chappe_vips_describe(chappe_source *source, chappe_picture *picture);

/// A smaller picture: upright, in sRGB, within `width` and `height`, or filling both when `crops`. Never a larger one.
chappe_image *chappe_vips_thumbnail(chappe_source *source, int width, int height, int crops, int animates);

int chappe_vips_has_alpha(chappe_image *image);

/// Decodes, shrinks and encodes; `suffix` is the format with its options. `bytes` is to be released with `chappe_vips_free`.
int chappe_vips_encode(chappe_image *image, const char *suffix, void **bytes, size_t *count);

void chappe_vips_free(void *bytes);

#endif
