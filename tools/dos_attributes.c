/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DOS attributes from extended attributes. See dos_attributes.h. */
#include "config.h"

#include "tools/dos_attributes.h"

#include <fcntl.h>
#include <string.h>
#ifdef HAVE_FGETXATTR
#include <sys/xattr.h>
#endif

#include "src/package.h"

#define ATTRIBUTE  "user.DOSATTRIB"
#define TEXT_BYTES 256 /* Samba appends a structure of its own to the number */

uint16_t dos_attributes_parse(const char *text, size_t len)
{
    char number[16] = "";
    memcpy(number, text, len < sizeof number - 1 ? len : sizeof number - 1);
    if (strncmp(number, "0x", 2) != 0)
        return 0;
    unsigned long bits = strtoul(number, NULL, 16);
    return (uint16_t)((bits & 1 ? NODE_READONLY : 0) | (bits & 2 ? NODE_HIDDEN : 0) |
                      (bits & 4 ? NODE_SYSTEM : 0));
}

uint16_t dos_attributes_read(int dir_fd, const char *name)
{
#ifdef HAVE_FGETXATTR
    char text[TEXT_BYTES];
    auto_close int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : fgetxattr(fd, ATTRIBUTE, text, sizeof text);
    return n > 0 ? dos_attributes_parse(text, (size_t)n) : 0;
#else
    (void)dir_fd;
    (void)name;
    return 0;
#endif
}
