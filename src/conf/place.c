#include "conf/row.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define USER_PORT_OFFSET 10000U

/* The folder of an ordinary user's own: $XDG_…_HOME, or HOME with the standard's default below it. */
static int user_folder(const char *variable, const char *below, const char *name, char *path, size_t size)
{
    const char *folder = getenv(variable);
    const char *home = getenv("HOME");
    int length;
    if (folder != NULL && folder[0] == '/')
        length = snprintf(path, size, "%s/%s", folder, name);
    else
        length = snprintf(path, size, "%s/%s/%s", home != NULL && home[0] == '/' ? home : "/nonexistent", below, name);
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

int conf_default_path(char *path, size_t size)
{
    if (geteuid() == 0)
        return snprintf(path, size, "/etc/waxwing/waxwing.conf") < (int)size ? 0 : -ENAMETOOLONG;
    return user_folder("XDG_CONFIG_HOME", ".config", "waxwing/waxwing.conf", path, size);
}

static int replace(char **setting, const char *text)
{
    char *copy = mem_copy_text(text);
    if (copy == NULL)
        return -ENOMEM;
    free(*setting);
    *setting = copy;
    return 0;
}

/* Roles change their directory, so that the data directory is only good with a full path. */
static int place_data(struct conf *conf)
{
    char path[PATH_MAX];
    char working[PATH_MAX / 2];
    if (conf->server_data[0] == '/')
        return 0;
    if (conf->server_data[0] != '\0') {
        if (getcwd(working, sizeof(working)) == NULL)
            return -errno;
        int length = snprintf(path, sizeof(path), "%s/%s", working, conf->server_data);
        return length < 0 || (size_t)length >= sizeof(path) ? -ENAMETOOLONG : replace(&conf->server_data, path);
    }
    if (geteuid() == 0)
        return replace(&conf->server_data, "/var/lib/waxwing");
    int result = user_folder("XDG_DATA_HOME", ".local/share", "waxwing", path, sizeof(path));
    return result < 0 ? result : replace(&conf->server_data, path);
}

static int place_hostname(struct conf *conf)
{
    char name[256] = "";
    if (conf->server_hostname[0] != '\0')
        return 0;
    if (gethostname(name, sizeof(name) - 1) < 0 || name[0] == '\0')
        return replace(&conf->server_hostname, "localhost");
    return replace(&conf->server_hostname, name);
}

int conf_place(struct conf *conf, struct conf_error *ret_error)
{
    if (conf->server_port_offset == CONF_BY_USER)
        conf->server_port_offset = geteuid() == 0 ? 0 : USER_PORT_OFFSET;
    int result = place_data(conf);
    if (result == 0)
        result = place_hostname(conf);
    if (result < 0)
        (void)snprintf(ret_error->text, sizeof(ret_error->text),
                       "cannot find the data directory: %s; set [server] data", strerror(-result));
    return result;
}
