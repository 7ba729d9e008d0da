#ifndef CHAPPE_VIPS_H
#define CHAPPE_VIPS_H

#include <vips/vips.h>

// libvips takes options as variable arguments, which Swift cannot call. These few functions are all that is used of it.

/// What a picture says of itself before it is decoded. Zero `format` for anything that is no picture of a known format.
typedef struct {
    int format;
    int width;
    int height;
    int pages;
    int orientation;
} chappe_picture;

enum { CHAPPE_PICTURE_JPEG = 1, CHAPPE_PICTURE_PNG = 2, CHAPPE_PICTURE_GIF = 3, CHAPPE_PICTURE_WEBP = 4 };

static inline void chappe_vips_ignore(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data) {
    (void)domain, (void)level, (void)message, (void)data;
}

/// Prepares the library, once for the process. Only the loaders of four formats are left: all others were written for trusted files.
static inline int chappe_vips_start(void) {
    if (vips_init("chappe")) return -1;
    // A damaged file can cause a warning per row.
    g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_MESSAGE,
                      chappe_vips_ignore, NULL);
    vips_block_untrusted_set(TRUE);
    vips_operation_block_set("VipsForeignLoad", TRUE);
    vips_operation_block_set("VipsForeignLoadJpeg", FALSE);
    vips_operation_block_set("VipsForeignLoadPng", FALSE);
    vips_operation_block_set("VipsForeignLoadNsgif", FALSE);
    vips_operation_block_set("VipsForeignLoadWebp", FALSE);
    // The threads are the caller's, one a picture; no picture is worth keeping once its thumbnail is made.
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    return 0;
}

static inline VipsSource *chappe_vips_file(const char *path) { return vips_source_new_from_file(path); }

static inline VipsSource *chappe_vips_memory(const void *bytes, size_t count) {
    return vips_source_new_from_memory(bytes, count);
}

static inline void chappe_vips_release(void *object) { g_object_unref(object); }

/// Forgets the thread's error messages, which would pile up, and its buffers.
static inline void chappe_vips_end_job(void) {
    vips_error_clear();
    vips_thread_shutdown();
}

/// Reads the head of a picture.
static inline int chappe_vips_describe(VipsSource *source, chappe_picture *picture) {
    const char *loader = vips_foreign_find_load_source(source);
    picture->format = 0;
    if (!loader) return 0;
    if (g_str_has_prefix(loader, "VipsForeignLoadJpeg")) picture->format = CHAPPE_PICTURE_JPEG;
    if (g_str_has_prefix(loader, "VipsForeignLoadPng")) picture->format = CHAPPE_PICTURE_PNG;
    if (g_str_has_prefix(loader, "VipsForeignLoadNsgif")) picture->format = CHAPPE_PICTURE_GIF;
    if (g_str_has_prefix(loader, "VipsForeignLoadWebp")) picture->format = CHAPPE_PICTURE_WEBP;
    if (!picture->format) return 0;
    VipsImage *image = vips_image_new_from_source(source, "", "access", VIPS_ACCESS_SEQUENTIAL, NULL);
    if (!image) return -1;
    picture->width = vips_image_get_width(image);
    picture->height = vips_image_get_height(image);
    picture->pages = vips_image_get_n_pages(image);
    picture->orientation = vips_image_get_orientation(image);
    g_object_unref(image);
    return 0;
}

/// A smaller picture: upright, in sRGB, within `width` and `height`, or filling both when `crops`. Never a larger one.
static inline VipsImage *chappe_vips_thumbnail(VipsSource *source, int width, int height, int crops, int animates) {
    const char *options = animates ? "[n=-1,fail_on=truncated]" : "[fail_on=truncated]";
    VipsImage *small = NULL;
    if (vips_thumbnail_source(source, &small, width, "height", height, "size", VIPS_SIZE_DOWN, "crop",
                              crops ? VIPS_INTERESTING_CENTRE : VIPS_INTERESTING_NONE, "export_profile", "srgb",
                              "option_string", options, NULL))
        return NULL;
    VipsInterpretation space = vips_image_get_interpretation(small);
    if (space == VIPS_INTERPRETATION_sRGB || space == VIPS_INTERPRETATION_B_W) return small;
    VipsImage *converted = NULL;
    int status = vips_colourspace(small, &converted, VIPS_INTERPRETATION_sRGB, NULL);
    g_object_unref(small);
    return status ? NULL : converted;
}

static inline int chappe_vips_has_alpha(VipsImage *image) { return vips_image_hasalpha(image); }

/// Decodes, shrinks and encodes; `suffix` is the format with its options. `bytes` is to be released with `chappe_vips_free`.
static inline int chappe_vips_encode(VipsImage *image, const char *suffix, void **bytes, size_t *count) {
    return vips_image_write_to_buffer(image, suffix, bytes, count, NULL);
}

static inline void chappe_vips_free(void *bytes) { g_free(bytes); }

#endif
