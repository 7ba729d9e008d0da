#include "CVips.h"

#include <dlfcn.h>
#include <stddef.h>
#include <vips/vips.h>

// The functions of the library that are used, by the types that its headers give them.
#define FUNCTIONS(X)                                                                                                    \
    X(vips_init)                                                                                                        \
    X(vips_block_untrusted_set)                                                                                         \
    X(vips_operation_block_set)                                                                                         \
    X(vips_concurrency_set)                                                                                             \
    X(vips_cache_set_max)                                                                                               \
    X(vips_source_new_from_file)                                                                                        \
    X(vips_source_new_from_memory)                                                                                      \
    X(vips_error_clear)                                                                                                 \
    X(vips_thread_shutdown)                                                                                             \
    X(vips_foreign_find_load_source)                                                                                    \
    X(vips_image_new_from_source)                                                                                       \
    X(vips_image_get_width)                                                                                             \
    X(vips_image_get_height)                                                                                            \
    X(vips_image_get_n_pages)                                                                                           \
    X(vips_image_get_orientation)                                                                                       \
    X(vips_image_get_interpretation)                                                                                    \
    X(vips_image_hasalpha)                                                                                              \
    X(vips_thumbnail_source)                                                                                            \
    X(vips_colourspace)                                                                                                 \
    X(vips_image_write_to_buffer)

#define DECLARE(name) __typeof__(&name) name;
static struct { FUNCTIONS(DECLARE) } vips;

static const char *failure = "";

static void ignore(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data) {
    (void)domain, (void)level, (void)message, (void)data;
}

const char *chappe_vips_failure(void) { return failure; }

int chappe_vips_start(void) {
    void *library = dlopen("libvips.so.42", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        failure = dlerror();
        return -1;
    }
#define FIND(name)                                                                                                      \
    vips.name = (__typeof__(&name))dlsym(library, #name);                                                               \
    if (!vips.name) {                                                                                                   \
        failure = #name " is missing in libvips.so.42";                                                                 \
        return -1;                                                                                                      \
    }
    FUNCTIONS(FIND)
    if (vips.vips_init("chappe")) {
        failure = "libvips.so.42 cannot be prepared";
        return -1;
    }
    // A damaged file can cause a warning per row.
    g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_MESSAGE, ignore,
                      NULL);
    vips.vips_block_untrusted_set(TRUE);
    vips.vips_operation_block_set("VipsForeignLoad", TRUE);
    vips.vips_operation_block_set("VipsForeignLoadJpeg", FALSE);
    vips.vips_operation_block_set("VipsForeignLoadPng", FALSE);
    vips.vips_operation_block_set("VipsForeignLoadNsgif", FALSE);
    vips.vips_operation_block_set("VipsForeignLoadWebp", FALSE);
    // The threads are the caller's, one a picture; no picture is worth keeping once its thumbnail is made.
    vips.vips_concurrency_set(1);
    vips.vips_cache_set_max(0);
    return 0;
}

chappe_source *chappe_vips_file(const char *path) { return vips.vips_source_new_from_file(path); }

chappe_source *chappe_vips_memory(const void *bytes, size_t count) {
    return vips.vips_source_new_from_memory(bytes, count);
}

void chappe_vips_release(void *object) { g_object_unref(object); }

void chappe_vips_end_job(void) {
    vips.vips_error_clear();
    vips.vips_thread_shutdown();
}

int chappe_vips_describe(chappe_source *source, chappe_picture *picture) {
    const char *loader = vips.vips_foreign_find_load_source(source);
    picture->format = 0;
    if (!loader) return 0;
    if (g_str_has_prefix(loader, "VipsForeignLoadJpeg")) picture->format = CHAPPE_PICTURE_JPEG;
    if (g_str_has_prefix(loader, "VipsForeignLoadPng")) picture->format = CHAPPE_PICTURE_PNG;
    if (g_str_has_prefix(loader, "VipsForeignLoadNsgif")) picture->format = CHAPPE_PICTURE_GIF;
    if (g_str_has_prefix(loader, "VipsForeignLoadWebp")) picture->format = CHAPPE_PICTURE_WEBP;
    if (!picture->format) return 0;
    VipsImage *image = vips.vips_image_new_from_source(source, "", "access", VIPS_ACCESS_SEQUENTIAL, NULL);
    if (!image) return -1;
    picture->width = vips.vips_image_get_width(image);
    picture->height = vips.vips_image_get_height(image);
    picture->pages = vips.vips_image_get_n_pages(image);
    picture->orientation = vips.vips_image_get_orientation(image);
    g_object_unref(image);
    return 0;
}

chappe_image *chappe_vips_thumbnail(chappe_source *source, int width, int height, int crops, int animates) {
    const char *options = animates ? "[n=-1,fail_on=truncated]" : "[fail_on=truncated]";
    VipsImage *small = NULL;
    if (vips.vips_thumbnail_source(source, &small, width, "height", height, "size", VIPS_SIZE_DOWN, "crop",
                                   crops ? VIPS_INTERESTING_CENTRE : VIPS_INTERESTING_NONE, "export_profile", "srgb",
                                   "option_string", options, NULL))
        return NULL;
    VipsInterpretation space = vips.vips_image_get_interpretation(small);
    if (space == VIPS_INTERPRETATION_sRGB || space == VIPS_INTERPRETATION_B_W) return small;
    VipsImage *converted = NULL;
    int status = vips.vips_colourspace(small, &converted, VIPS_INTERPRETATION_sRGB, NULL);
    g_object_unref(small);
    return status ? NULL : converted;
}

int chappe_vips_has_alpha(chappe_image *image) { return vips.vips_image_hasalpha(image); }

int chappe_vips_encode(chappe_image *image, const char *suffix, void **bytes, size_t *count) {
    return vips.vips_image_write_to_buffer(image, suffix, bytes, count, NULL);
}

void chappe_vips_free(void *bytes) { g_free(bytes); }
