/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From FilesystemMetadata.xml to a tree. See appv_tree.h. */
#include "config.h"

#include "src/appv_tree.h"

#include <string.h>

#include "src/fold.h"

int appv_tree_add_directories(struct path_tree *tree, const struct appv_metadata *names,
                              struct err *e)
{
    int rc = 0;

    for (uint32_t i = 0; i < names->empty_count && !rc; i++) {
        const char *path = names->empty_directories[i].path;
        rc = path_tree_add(tree, path, strlen(path), true, PATH_TREE_NONE, NULL, e);
    }
    return rc;
}

static void set_name(struct path_node *node, const char *name, size_t len)
{
    if (node && !node->short_name && name_is_8_3(name, len)) {
        node->short_name = name;
        node->short_len = (uint16_t)len;
    }
}

/* The entries of directories without files are paths: each of their components has two names. */
static void name_components(struct path_tree *tree, struct path_node *node,
                            const struct appv_directory *d)
{
    const char *path = d->path, *shorter = d->short_path;

    while (node && *path && *shorter) {
        size_t len = strcspn(path, "/"), short_len = strcspn(shorter, "/");
        node = path_tree_child(tree, node, path, len);
        if (len != short_len || memcmp(path, shorter, len))
            set_name(node, shorter, short_len);
        path += len + (path[len] == '/');
        shorter += short_len + (shorter[short_len] == '/');
    }
}

int appv_tree_set_short_names(struct path_tree *tree, const struct appv_metadata *names,
                              const char *root, struct err *e)
{
    struct path_node *top = path_tree_find(tree, root, strlen(root));
    auto_free struct path_node **nodes = calloc((size_t)names->entry_count + 1, sizeof *nodes);

    if (!nodes)
        return err_nomem(e);
    for (uint32_t i = 0; i < names->entry_count; i++) {
        const struct appv_entry *entry = &names->entries[i];
        struct path_node *parent = entry->parent == APPV_NO_ENTRY ? top : nodes[entry->parent];
        nodes[i] = parent ? path_tree_child(tree, parent, entry->name, strlen(entry->name)) : NULL;
        set_name(nodes[i], entry->short_name, strlen(entry->short_name));
    }
    for (uint32_t i = 0; i < names->empty_count; i++)
        name_components(tree, top, &names->empty_directories[i]);
    return 0;
}
