/* Links and pipes that appear in a git directory are moved out of git's way, to agent-session-links in it.
 *
 * Git on the host writes and reads through them: a reflog that is a link to a file of the user's home gets
 * git's lines. Git itself makes none there, but for one that it tries the file system with. What was there at
 * the start stays, and is put back. Who plants them again and again could win in the moment that this takes: at
 * the MOST_MOVED-th, all programs of the session are ended.
 *
 * The kernel tells each new name in a directory that is watched; all are looked at again from time to time, in
 * case that the kernel had to leave some out. Everything is done as the agent's user and by descriptor: it can
 * do no more than the agent, but for ending programs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"

#define ASIDE "agent-session-links"
#define TRIAL "testing" /* where git's and libgit2's trial leads */
#define MOST_MOVED 16
#define MOST_GITS 1024
#define MOST_WATCHES 8192
#define MOST_KNOWN 4096
#define DEEPEST 24
#define AGAIN_MS 10000
#define SHARE 50 /* of the time may go to looking again, at most one part of so many */

struct watch {
    int number, git;
    unsigned round;
    char *path;
};

static struct {
    char *path;
    int directory, is_whole;
} gits[MOST_GITS];
static struct {
    char *target, *path;
    int git;
} known[MOST_KNOWN];
static struct watch watches[MOST_WATCHES];
static int git_count, known_count, watch_count, kernel = -1, learning, moved, may_end_all;
static unsigned round_number;
static long long next_ms;

static void look_below(int git, int directory, const char *path, int depth);

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static char *join(const char *above, const char *name) {
    char *path = NULL;
    return asprintf(&path, "%s%s%s", above, *above ? "/" : "", name) < 0 ? NULL : path;
}

/* ---- one name ---- */

static char *known_target(int git, const char *path) {
    for (int each = 0; each < known_count; each++)
        if (known[each].git == git && !strcmp(known[each].path, path))
            return known[each].target;
    return NULL;
}

static int is_moved_here(int aside, const char *name) {
    struct stat found;
    return !fstatat(aside, name, &found, AT_SYMLINK_NOFOLLOW) && (S_ISLNK(found.st_mode) || S_ISFIFO(found.st_mode));
}

/* What turns out to be something else, as the host has put a file there meanwhile, goes back. */
static void move_aside(int git, int directory, const char *name, const char *path) {
    char flat[256];
    int top = gits[git].is_whole ? gits[git].directory : -1;
    if (top >= 0)
        mkdirat(top, ASIDE, 0700);
    int aside = top < 0 ? -1 : openat(top, ASIDE, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    size_t length = strlen(path);
    snprintf(flat, sizeof flat, "%s", length < sizeof flat ? path : path + length - sizeof flat + 1);
    for (char *at = flat; *at; at++)
        *at = *at == '/' ? '%' : *at;
    if (aside < 0 || renameat(directory, name, aside, flat))
        unlinkat(directory, name, 0);
    else if (!is_moved_here(aside, flat))
        renameat2(aside, flat, directory, name, RENAME_NOREPLACE);
    if (aside >= 0)
        close(aside);
    if (++moved >= MOST_MOVED && may_end_all)
        kill(-1, SIGKILL);
}

static void look_at_link(int git, int directory, const char *name, const char *path) {
    char target[LONGEST];
    ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
    if (length < 0)
        return;
    target[length] = 0;
    const char *before = known_target(git, path);
    if (learning && known_count < MOST_KNOWN) {
        known[known_count].git = git;
        known[known_count].path = strdup(path);
        known[known_count++].target = strdup(target);
    } else if (!learning && (before ? strcmp(before, target) : strcmp(target, TRIAL))) {
        move_aside(git, directory, name, path);
        if (before)
            symlinkat(before, directory, name);
    }
}

/* Where git writes only files whose names nobody can foresee, and what a session has a copy of its own of. */
static int is_passed_over(const char *path, const char *name) {
    size_t above = strlen(path) - strlen(name);
    int object = strlen(name) == 2 && above >= 8 && !strncmp(path + above - 8, "objects/", 8);
    int hooks = !strcmp(path, "hooks") || (!strcmp(name, "hooks") && !strncmp(path, "modules/", 8));
    int of_refs = strstr(path, "refs/") || strstr(path, "logs/");
    return !strcmp(path, ASIDE) || !strcmp(path, "lfs") || !strcmp(path, "annex") || ((object || hooks) && !of_refs);
}

/* A directory that cannot be listed could hide what it holds. */
static int open_listable(int directory, const char *name) {
    struct stat found;
    char path[64];
    int at = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), listable = -1;
    if (at >= 0 && !fstat(at, &found)) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", at);
        if ((found.st_mode & 0700) != 0700)
            chmod(path, (found.st_mode & 0777) | 0700);
        listable = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (at >= 0)
        close(at);
    return listable;
}

static void look_at(int git, int directory, const char *name, const char *path, int depth) {
    struct stat found;
    if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW))
        return;
    if (S_ISLNK(found.st_mode))
        look_at_link(git, directory, name, path);
    else if (S_ISFIFO(found.st_mode) && !learning)
        move_aside(git, directory, name, path);
    else if (S_ISDIR(found.st_mode) && depth < DEEPEST && !is_passed_over(path, name)) {
        int below = open_listable(directory, name);
        if (below >= 0)
            look_below(git, below, path, depth + 1);
    }
}

/* ---- directories ---- */

static struct watch *watch_of(int number) {
    for (int each = 0; each < watch_count; each++)
        if (watches[each].number == number)
            return &watches[each];
    return NULL;
}

static void forget(struct watch *watch) {
    free(watch->path);
    *watch = watches[--watch_count];
}

static void watch(int git, int directory, const char *path) {
    char place[64];
    snprintf(place, sizeof place, "/proc/self/fd/%d", directory);
    if (watch_count == MOST_WATCHES)
        return;
    int number = inotify_add_watch(kernel, place, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    struct watch *found = number < 0 ? NULL : watch_of(number);
    if (number < 0)
        return;
    if (!found)
        found = &watches[watch_count++], found->path = NULL;
    free(found->path);
    *found = (struct watch){.number = number, .git = git, .round = round_number, .path = strdup(path)};
}

/* Looks at all names in a directory, which is watched from before that on, and below it; closes it. */
static void look_below(int git, int directory, const char *path, int depth) {
    watch(git, directory, path);
    DIR *entries = fdopendir(directory);
    if (!entries) {
        close(directory);
        return;
    }
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (entry->d_type == DT_REG || !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        char *inner = join(path, entry->d_name);
        if (inner)
            look_at(git, dirfd(entries), entry->d_name, inner, depth);
        free(inner);
    }
    closedir(entries);
}

static void open_git(int git) {
    const char *name;
    int above = walk_from(AT_FDCWD, gits[git].path, &name);
    int at = above < 0 ? -1 : openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (above >= 0)
        close(above);
    if (at < 0)
        return;
    if (gits[git].directory >= 0)
        close(gits[git].directory);
    gits[git].directory = at;
}

static void look_at_all(void) {
    long long begun = now_ms();
    round_number++;
    for (int git = 0; git < git_count; git++) {
        open_git(git);
        int at = gits[git].directory < 0 ? -1 : openat(gits[git].directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (at >= 0)
            look_below(git, at, "", 0);
    }
    for (int each = watch_count - 1; each >= 0; each--)
        if (watches[each].round != round_number) {
            inotify_rm_watch(kernel, watches[each].number);
            forget(&watches[each]);
        }
    long long took = now_ms() - begun;
    next_ms = now_ms() + (took * SHARE > AGAIN_MS ? took * SHARE : AGAIN_MS);
}

/* ---- what the kernel tells ---- */

static void look_at_name(int number, const char *name) {
    struct watch *found = watch_of(number);
    char *path = found ? join(found->path, name) : NULL;
    const char *last;
    if (!path)
        return;
    int git = found->git, depth = 0;
    for (const char *at = path; *at; at++)
        depth += *at == '/';
    int directory = gits[git].directory < 0 ? -1 : walk_from(gits[git].directory, path, &last);
    if (directory >= 0) {
        look_at(git, directory, last, path, depth);
        close(directory);
    }
    free(path);
}

static void look_for_links(void) {
    static char told[1 << 14] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t size;
    int left_out = 0;
    while ((size = read(kernel, told, sizeof told)) > 0)
        for (char *at = told; at < told + size;) {
            struct inotify_event *event = (struct inotify_event *)at;
            at += sizeof *event + event->len;
            left_out |= event->mask & IN_Q_OVERFLOW;
            if (event->mask & IN_IGNORED && watch_of(event->wd))
                forget(watch_of(event->wd));
            else if (event->len)
                look_at_name(event->wd, event->name);
            if (left_out)
                break;
        }
    if (left_out || now_ms() >= next_ms)
        look_at_all();
}

void guard_links_of(const char *git, int is_whole) {
    if (git_count == MOST_GITS)
        return;
    gits[git_count].path = strdup(git);
    gits[git_count].is_whole = is_whole;
    gits[git_count++].directory = -1;
}

void guard_links(int in_container) {
    may_end_all = in_container;
    if (!git_count || (kernel = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) < 0)
        return;
    learning = 1;
    look_at_all();
    learning = 0;
    for (struct pollfd told = {.fd = kernel, .events = POLLIN};; poll(&told, 1, AGAIN_MS))
        look_for_links();
}
