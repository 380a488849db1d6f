/* Git in a repository that is the host's as well. This library is a part of this image's git (see the Containerfile) and of
 * nothing else. A repository is shared where its config is a mount point: the host's config, read-only.
 *
 * 1. config and config.worktree are read and written as the session's own copies, which git_config makes and keeps up to
 *    date with the host's.
 * 2. A worktree that is elsewhere (on the host, in another session) is never taken for one that was removed: it counts as
 *    locked. One of this session is locked for everybody else, by a file that says which session has it.
 * 3. Another session's worktree has a path that nothing here has.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORE "/home/agent/.local/state/agent-session/git"
#define RENEW "/usr/lib/agent-session/git_config"
#define ELSEWHERE "/usr/lib/agent-session/git-worktree-elsewhere"
#define LONGEST (2 * PATH_MAX)
#define REAL(name) ({ static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })

extern char **environ;

static int is_mount_point(const char *path) {
    struct statx found;
    return !statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &found) &&
           (found.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* Whether a line of AGENT_SESSION_PROTECTED_GIT is this directory: true also in the moments without a mount, after the host
 * has replaced its config. */
static int is_listed(const char *directory) {
    const char *list = getenv("AGENT_SESSION_PROTECTED_GIT");
    size_t length = strlen(directory);
    for (; list && *list; list = strchr(list, '\n') ? strchr(list, '\n') + 1 : NULL)
        if (!strncmp(list, directory, length) && (list[length] == '\n' || !list[length]))
            return 1;
    return 0;
}

/* Splits a path into its real directory (written to `directory`) and its last name; NULL where there is none. */
static const char *split(const char *path, char *directory) {
    const char *slash = strrchr(path, '/');
    char above[PATH_MAX];
    if (!slash)
        return realpath(".", directory) ? path : NULL;
    if ((size_t)(slash - path) >= sizeof above)
        return NULL;
    memcpy(above, path, slash - path);
    above[slash - path] = 0;
    return realpath(*above ? above : "/", directory) ? slash + 1 : NULL;
}

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

static int is_shared(const char *git) {
    char config[LONGEST];
    if (is_listed(git))
        return 1;
    snprintf(config, sizeof config, "%s/config", git);
    return is_mount_point(config);
}

/* ---- 1. config ---- */

static void make_directories(char *path) {
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        mkdir(path, 0700);
        *at = '/';
    }
    mkdir(path, 0700);
}

/* Makes or renews the session's copy, once in a process. The program that does it reads the host's file itself. */
static void renew(const char *host, const char *copy) {
    static char done[LONGEST];
    struct stat theirs, seen;
    char record[LONGEST];
    if (!strcmp(done, copy))
        return;
    snprintf(done, sizeof done, "%s", copy);
    snprintf(record, sizeof record, "%s.host", copy);
    if (REAL(stat64) && !stat(host, &theirs) && !stat(record, &seen) && theirs.st_size == seen.st_size &&
        theirs.st_mtim.tv_sec == seen.st_mtim.tv_sec && theirs.st_mtim.tv_nsec == seen.st_mtim.tv_nsec && !access(copy, F_OK))
        return;
    char *arguments[] = {"git_config", (char *)host, (char *)copy, NULL};
    pid_t child;
    int status, before = errno;
    if (!posix_spawn(&child, RENEW, NULL, NULL, arguments, environ))
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    errno = before;
}

/* The path that is meant: the session's copy for a shared config or its lock, else the path itself. */
static const char *meant(const char *path, char *buffer) {
    char directory[PATH_MAX], config[LONGEST];
    if (!path || !*path)
        return path;
    const char *last = strrchr(path, '/');
    last = last ? last + 1 : path;
    if (strncmp(last, "config", 6) ||
        (strcmp(last, "config") && strcmp(last, "config.lock") && strcmp(last, "config.worktree") && strcmp(last, "config.worktree.lock")))
        return path;
    int before = errno;
    last = split(path, directory);
    errno = before;
    if (!last || !strncmp(directory, STORE, strlen(STORE)))
        return path;
    snprintf(config, sizeof config, "%s/%.*s", directory, (int)(strlen(last) - (ends_with(last, ".lock") ? 5 : 0)), last);
    int shared = is_mount_point(config) || is_listed(directory);
    errno = before;
    if (!shared)
        return path;
    int length = snprintf(buffer, LONGEST, "%s/", STORE);
    for (const char *at = directory; *at && length < LONGEST - 64; at++)
        buffer[length++] = *at == '/' ? '%' : *at;
    buffer[length] = 0;
    make_directories(buffer);
    snprintf(buffer + length, LONGEST - length, "/%s", strrchr(config, '/') + 1);
    renew(config, buffer);
    snprintf(buffer + length, LONGEST - length, "/%s", last);
    errno = before;
    return buffer;
}

/* ---- 2. worktrees ---- */

static const char *session(void) {
    static struct utsname name;
    const char *ours = getenv("AGENT_SESSION_NAME");
    if (ours && *ours)
        return ours;
    if (!*name.nodename) /* without an environment: the same for most names */
        uname(&name);
    return name.nodename;
}

static size_t read_file(const char *path, char *text, size_t size) {
    int file = REAL(open64)(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, text, size - 1);
    if (file >= 0)
        close(file);
    text[got > 0 ? got : 0] = 0;
    return got > 0 ? got : 0;
}

/* Which session a worktree says that it is of, "" for one of the host. */
static void owner(const char *place, char *name, size_t size) {
    char path[LONGEST], text[512];
    snprintf(path, sizeof path, "%s/locked", place);
    *name = 0;
    if (read_file(path, text, sizeof text) && !strncmp(text, "agent-session: in session ", 26))
        snprintf(name, size, "%.*s", (int)strcspn(text + 26, " \n"), text + 26);
}

/* Whether `path` is NAME of a worktree's directory in a shared repository, which is written to `place`. */
static int in_worktree(const char *path, const char *name, char *place) {
    char git[PATH_MAX];
    if (!path || !ends_with(path, name) || !strstr(path, "worktrees/"))
        return 0;
    int before = errno;
    const char *last = split(path, place);
    int found = 0;
    if (last && !strcmp(last, name)) {
        snprintf(git, sizeof git, "%s", place);
        char *slash = strrchr(git, '/');
        if (slash && slash != git) {
            *slash = 0;
            slash = strrchr(git, '/');
            if (slash && slash != git && !strcmp(slash, "/worktrees")) {
                *slash = 0;
                found = is_shared(git);
            }
        }
    }
    errno = before;
    return found;
}

static int target(const char *place, char *text, size_t size) {
    char path[LONGEST];
    snprintf(path, sizeof path, "%s/gitdir", place);
    size_t length = read_file(path, text, size);
    while (length && strchr("\r\n", text[length - 1]))
        text[--length] = 0;
    return length > 0;
}

static int is_here(const char *place) {
    char path[PATH_MAX], joined[LONGEST];
    struct stat found;
    if (!target(place, path, sizeof path))
        return 0;
    if (*path == '/')
        return !REAL(lstat64)(path, (struct stat64 *)&found);
    snprintf(joined, sizeof joined, "%s/%s", place, path);
    return !REAL(lstat64)(joined, (struct stat64 *)&found);
}

/* A path that only sessions have, so that the host would take the worktree for a removed one. */
static int is_of_a_session(const char *place) {
    char path[PATH_MAX];
    return target(place, path, sizeof path) &&
           (*path != '/' || !strncmp(path, "/workspace/", 11) || !strncmp(path, "/home/agent/", 12) || !strncmp(path, "/tmp/", 5));
}

enum lock { PLAIN, HIDDEN, PRETENDED };

static enum lock lock_of(const char *place) {
    char name[128], path[LONGEST];
    owner(place, name, sizeof name);
    if (*name)
        return strcmp(name, session()) ? PLAIN : HIDDEN;
    snprintf(path, sizeof path, "%s/locked", place);
    struct stat64 found;
    if (!REAL(lstat64)(path, &found))
        return PLAIN;
    snprintf(path, sizeof path, "%s/gitdir", place);
    return REAL(lstat64)(path, &found) || is_here(place) ? PLAIN : PRETENDED;
}

static int claim(const char *place) {
    char path[LONGEST];
    snprintf(path, sizeof path, "%s/locked", place);
    int file = REAL(open64)(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        return -1;
    dprintf(file, "agent-session: in session %s\n", session());
    return close(file);
}

/* 3. What another session's worktree says of its path, as a path that nothing here has. */
static int foreign_path(const char *place) {
    char name[128], path[PATH_MAX];
    owner(place, name, sizeof name);
    if (!*name || !strcmp(name, session()) || !target(place, path, sizeof path))
        return -1;
    int file = memfd_create("gitdir", MFD_CLOEXEC);
    if (file >= 0) {
        dprintf(file, "/session/%s%s%s\n", name, *path == '/' ? "" : "/", path);
        lseek(file, 0, SEEK_SET);
    }
    return file;
}

/* ---- what git calls ---- */

static const char *lock_meant(const char *path, int *hidden) {
    char place[PATH_MAX];
    *hidden = 0;
    if (!in_worktree(path, "locked", place))
        return path;
    int before = errno;
    enum lock lock = lock_of(place);
    errno = before;
    *hidden = lock == HIDDEN;
    return lock == PRETENDED ? ELSEWHERE : path;
}

int open64(const char *path, int flags, ...) {
    char buffer[LONGEST], place[PATH_MAX];
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (!(flags & (O_WRONLY | O_RDWR))) {
        int hidden, before = errno;
        if (in_worktree(path, "gitdir", place)) {
            int file = foreign_path(place);
            errno = before;
            if (file >= 0)
                return file;
        }
        path = lock_meant(path, &hidden);
        if (hidden) {
            errno = ENOENT;
            return -1;
        }
    }
    return REAL(open64)(meant(path, buffer), flags, mode);
}

int open(const char *path, int flags, ...) __attribute__((alias("open64")));

int __open64_2(const char *path, int flags) { return open64(path, flags); }

FILE *fopen64(const char *path, const char *mode) {
    char buffer[LONGEST];
    return REAL(fopen64)(meant(path, buffer), mode);
}

int stat64(const char *path, struct stat64 *found) {
    char buffer[LONGEST];
    return REAL(stat64)(meant(path, buffer), found);
}

int lstat64(const char *path, struct stat64 *found) {
    char buffer[LONGEST];
    int hidden;
    path = lock_meant(path, &hidden);
    if (hidden) {
        errno = ENOENT;
        return -1;
    }
    return REAL(lstat64)(meant(path, buffer), found);
}

int access(const char *path, int mode) {
    char buffer[LONGEST];
    return REAL(access)(meant(path, buffer), mode);
}

int chmod(const char *path, mode_t mode) {
    char buffer[LONGEST];
    return REAL(chmod)(meant(path, buffer), mode);
}

int rename(const char *from, const char *to) {
    char old[LONGEST], new[LONGEST];
    return REAL(rename)(meant(from, old), meant(to, new));
}

int unlink(const char *path) {
    char buffer[LONGEST], place[PATH_MAX];
    if (in_worktree(path, "locked", place) && is_of_a_session(place) && is_here(place))
        return claim(place);
    return REAL(unlink)(meant(path, buffer));
}

/* Whether a directory holds a lock and nothing else. */
static int is_only_locked(const char *path) {
    DIR *directory = opendir(path);
    int count = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        count += !strcmp(entry->d_name, "locked") ? 1 : !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ? 0 : 2;
    if (directory)
        closedir(directory);
    return count == 1;
}

/* A worktree's last file is its lock, which git was not shown. Git also tries to remove directories that are not empty, when
 * it has deleted a ref in them: a lock stays there. */
int rmdir(const char *path) {
    int done = REAL(rmdir)(path);
    char place[PATH_MAX], lock[LONGEST];
    if (!done || errno != ENOTEMPTY)
        return done;
    snprintf(lock, sizeof lock, "%s/locked", path);
    if (in_worktree(lock, "locked", place) && lock_of(place) == HIDDEN && is_only_locked(path) && !REAL(unlink)(lock))
        return REAL(rmdir)(path);
    errno = ENOTEMPTY;
    return done;
}
