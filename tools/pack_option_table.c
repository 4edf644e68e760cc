/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Option table of `sft pack`. See pack_option_table.h. */
#include "config.h"

#include "tools/pack_option_table.h"

static const struct cli_option output_options[] = {
    { "output", 'o', "FILE",
      "Write the package to FILE (required). It appears complete or not at all.",
      OPT_OUTPUT },
    { "force", 'f', NULL, "Replace files that exist already.", OPT_FORCE },
    { "format", 'F', "FORMAT",
      "What to write: sft, msix (also for .appx) or appv (App-V 5). The default goes by the ending "
      "of FILE: .msix, .appx or .appv, and sft for all others. Bundles cannot be written. Options that "
      "mean nothing to a format are refused.",
      OPT_FORMAT },
    { "block-size", 'b', "KIB",
      "Decoded size of a block: 4, 16, 32 or 64 KiB. The default is 64. SFT only: the others "
      "always have 64.",
      OPT_BLOCK_SIZE },
    { "codec", 'c', "NAME",
      "How blocks are stored: none, zlib, bzip2 or zstd (the default); in msix and appv none or "
      "deflate (the default). What does not get smaller is stored as it is.",
      OPT_CODEC },
    { "level", 'l', "N", "Level of the codec; the range depends on it.", OPT_LEVEL },
    { "jobs", 'j', "N", "Use N threads. The default is one for each processor.", OPT_JOBS },
    { 0 },
};

static const struct cli_option identity_options[] = {
    { "name", 'n', "NAME",
      "Name of the package. The default is the output's name without its ending. In msix and appv "
      "it is shown to people; the identity is made of its letters, digits, dots and dashes, or of a "
      "hash of it if these are fewer than three.",
      OPT_NAME },
    { "guid", 0, "GUID",
      "Package GUID, the same for all versions. The default is a random one, or the old "
      "version's. Not for msix.",
      OPT_GUID },
    { "version-guid", 0, "GUID",
      "GUID of this version. The default is derived from the content. Not for msix.",
      OPT_VERSION_GUID },
    { "version-number", 0, "N",
      "Number of this version. The default is 1, or one more than the old version's. SFT only.",
      OPT_VERSION_NUMBER },
    { "app-version", 0, "A.B.C.D",
      "Version in the manifest of msix and appv: four numbers up to 65535. The default is 1.0.0.0.",
      OPT_APP_VERSION },
    { "publisher", 0, "NAME",
      "Publisher in the manifest of msix and appv: the subject of the certificate that will sign it, "
      "such as \"CN=Sample, O=Sample Ltd, C=DE\". msix needs it; the default of appv is CN=Reserved.",
      OPT_PUBLISHER },
    { "arch", 0, "ARCH",
      "Processor in the manifest of msix and appv: x86, x64, arm, arm64 or neutral. The default is "
      "neutral, for appv x64.",
      OPT_ARCH },
    { "logo", 0, "PATH",
      "Image of the package (PNG) in the manifest of msix, a file of the package. The default is "
      "Assets/Logo.png; a plain image is added under that name when there is none.",
      OPT_LOGO },
    { "upgrade", 'u', "OLD.sft",
      "Make the next version of this package: its GUID, block size and history are kept, "
      "and files that did not change keep their blocks as they are stored.",
      OPT_UPGRADE },
    { 0 },
};

static const struct cli_option content_options[] = {
    { "root-name", 'r', "NAME",
      "Put the content below one top directory of this name (the asset directory). SFT only.",
      OPT_ROOT_NAME },
    { "exclude", 'x', "GLOB",
      "Leave out what matches, directories with all that is in them. Repeatable. A pattern "
      "without a slash is compared with the last part of the path; case does not matter.",
      OPT_EXCLUDE },
    { "launch-list", 'L', "FILE",
      "Store what a start of the program needs first and together. FILE is a recording that a "
      "mount with -o record made, of which only the parts of files are taken that were used; or it "
      "names files, one path a line: either slash, any case; a directory stands for all that is in it; "
      "lines that begin with # are comments. Not for msix, which has no launch set.",
      OPT_LAUNCH_LIST },
    { "user-data", 0, "GLOB",
      "Mark the files that match as User Data. Repeatable. SFT only, as the next two.",
      OPT_USER_DATA },
    { "app-data", 0, "GLOB",
      "Mark the files that match as Application Data. Repeatable.",
      OPT_APP_DATA },
    { "override", 0, "GLOB", "Mark the files that match as Override. Repeatable.", OPT_OVERRIDE },
    { "case-sensitive", 0, NULL,
      "Allow names in one directory that differ only in case. SFT only.",
      OPT_CASE_SENSITIVE },
    { "no-short-names", 0, NULL, "Make no 8.3 names. msix never has any.", OPT_NO_SHORT_NAMES },
    { "no-dictionary", 0, NULL,
      "Make no zstd dictionary for the blocks of a large package: it grows by two to three "
      "percent, and its blocks decode a little faster. SFT only.",
      OPT_NO_DICTIONARY },
    { "strict", 0, NULL,
      "Fail on symbolic links, devices, fifos and sockets instead of leaving them out.",
      OPT_STRICT },
    { 0 },
};

static const struct cli_option document_options[] = {
    { "osd", 0, "EXE[=NAME]",
      "A program of the package, and its name (default: the file's). Of an SFT NAME.osd is written "
      "beside the output, and its icon; in msix and appv the manifest lists it. Repeatable.",
      OPT_OSD },
    { "href", 0, "URL",
      "Where the OSD says that the package is. The default is beside the OSD.",
      OPT_HREF },
    { "ico", 0, "FILE", "Icon for the programs. The default is the one in the program.", OPT_ICO },
    { "manifest", 0, NULL,
      "Write NAME_manifest.xml beside the output; it lists the programs given with --osd. SFT only, "
      "as the two above.",
      OPT_MANIFEST },
    { 0 },
};

static const struct cli_option message_options[] = {
    { "progress", 0, "WHEN",
      "Show progress: auto (on a terminal, the default), always or never.",
      OPT_PROGRESS },
    { "quiet", 'q', NULL, "Print errors only.", OPT_QUIET },
    { "json", 0, NULL, "Print the summary as JSON.", OPT_JSON },
    { 0 },
};

static const char *const synopsis[] = { "[OPTION]... DIR -o FILE", NULL };

static const struct cli_group groups[] = {
    { "Output", CLI_STYLE_LONG, output_options },
    { "Identity", CLI_STYLE_LONG, identity_options },
    { "Content", CLI_STYLE_LONG, content_options },
    { "Documents", CLI_STYLE_LONG, document_options },
    { "Messages", CLI_STYLE_LONG, message_options },
    { NULL, CLI_STYLE_LONG, NULL },
};

const struct cli_command pack_command = {
    .name = "sft pack",
    .synopsis = synopsis,
    .summary = "Makes a package from a directory tree.",
    .description =
        "The same input with the same --guid and SOURCE_DATE_EPOCH in the environment gives the "
        "same bytes; of msix also without them. SOURCE_DATE_EPOCH also limits the times of the files: later ones are set to "
        "it.",
    .groups = groups,
};

/* Formats that an option means something to; those that are not here mean something to all. */
static const struct {
    int id;
    unsigned formats;
} limited[] = {
    { OPT_BLOCK_SIZE, 1u << PACK_SFT },
    { OPT_GUID, 1u << PACK_SFT | 1u << PACK_APPV },
    { OPT_VERSION_GUID, 1u << PACK_SFT | 1u << PACK_APPV },
    { OPT_VERSION_NUMBER, 1u << PACK_SFT },
    { OPT_PUBLISHER, 1u << PACK_MSIX | 1u << PACK_APPV },
    { OPT_APP_VERSION, 1u << PACK_MSIX | 1u << PACK_APPV },
    { OPT_ARCH, 1u << PACK_MSIX | 1u << PACK_APPV },
    { OPT_LOGO, 1u << PACK_MSIX },
    { OPT_UPGRADE, 1u << PACK_SFT },
    { OPT_ROOT_NAME, 1u << PACK_SFT },
    { OPT_LAUNCH_LIST, 1u << PACK_SFT | 1u << PACK_APPV },
    { OPT_USER_DATA, 1u << PACK_SFT },
    { OPT_APP_DATA, 1u << PACK_SFT },
    { OPT_OVERRIDE, 1u << PACK_SFT },
    { OPT_CASE_SENSITIVE, 1u << PACK_SFT },
    { OPT_NO_SHORT_NAMES, 1u << PACK_SFT | 1u << PACK_APPV },
    { OPT_NO_DICTIONARY, 1u << PACK_SFT },
    { OPT_HREF, 1u << PACK_SFT },
    { OPT_ICO, 1u << PACK_SFT },
    { OPT_MANIFEST, 1u << PACK_SFT },
};

static const char *option_name(int id)
{
    for (const struct cli_group *g = groups; g->options; g++)
        for (const struct cli_option *o = g->options; o->name; o++)
            if (o->id == id)
                return o->name;
    return "";
}

const char *pack_option_stray(uint64_t given, enum pack_format format)
{
    for (size_t i = 0; i < ARRAY_LEN(limited); i++)
        if (!(limited[i].formats >> format & 1) && given & pack_option_bit(limited[i].id))
            return option_name(limited[i].id);
    return NULL;
}
