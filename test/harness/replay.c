#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Runs a fuzz target over every file of its corpus folder: each fixed crash stays fixed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct stat status;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        if (fd >= 0)
            (void)close(fd);
        return 0;
    }
    size_t size = (size_t)status.st_size;
    uint8_t *data = malloc(size + 1);
    ssize_t got = data == NULL ? -1 : read(fd, data, size);
    (void)close(fd);
    if (got == (ssize_t)size)
        (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return got == (ssize_t)size;
}

int main(int count, char **arguments)
{
    DIR *folder = count > 1 ? opendir(arguments[1]) : NULL;
    if (folder == NULL) {
        (void)fprintf(stderr, "no corpus at %s: add at least one seed\n", count > 1 ? arguments[1] : "(none)");
        return 1;
    }
    int replayed = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        replayed += replay(arguments[1], entry->d_name);
    (void)closedir(folder);
    (void)printf("%d inputs replayed\n", replayed);
    return replayed > 0 ? 0 : 1;
}
