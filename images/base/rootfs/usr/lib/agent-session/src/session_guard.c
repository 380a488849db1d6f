/* session-guard [NAME=CONTENT...]: keeps what is read-only in the projects read-only. NAMEs are placeholders that are files.
 *
 * When the host replaces a file by renaming another one over it, as git does with its config at each `git push -u`, the kernel
 * drops the mounts on it, in here too. This puts them back within a millisecond or so, and looks four times a second besides.
 *
 * It is started from the host, before the agent, as this container's root. Of root's rights it keeps the ones to mount, to put a
 * file that is root's in place of another, to act as the agent's user, and to end its programs; it runs no program, and is linked
 * with no library. All paths are walked as the agent's user, one name at a time and never
 * through a link, and mounts are made on what was found there, by its descriptor.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"

#define AGENT 1000
#define MOST 4096 /* mounts */
#define MARK 1000000000 /* when a placeholder was last changed */
#define LOOK_MS 250
#define LARGEST (256 * 1024) /* bytes of a file that is remembered */
#define TRIES 50

enum how { READ_ONLY, WRITABLE, EMPTY };

struct place {
    char *path;
    enum how how;
    int seen; /* in the table that was read last */
    char *text; /* of a git config, as it was when it was mounted last: the one file that no placeholder can stand in for */
    size_t size;
};

static struct place wanted[MOST];
static int count;
static char **placeholders;
static char table[1 << 20];

/* ---- who we are ---- */

static void as_agent(void) { setfsgid(AGENT), setfsuid(AGENT); }
static void as_root(void) { setfsuid(0), setfsgid(0); }

/* To mount, to replace files, and to be the agent's user for files alone: as any other of its ids, the agent could end or delay this process. */
static void keep_the_right_to_mount(void) {
    const unsigned kept = 1 << CAP_SYS_ADMIN | 1 << CAP_SETUID | 1 << CAP_SETGID | 1 << CAP_CHOWN | 1 << CAP_DAC_OVERRIDE |
                          1 << CAP_KILL;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    for (int each = 0; each < 64; each++)
        if (each >= 32 || !(kept & 1U << each))
            prctl(PR_CAPBSET_DROP, each, 0, 0, 0);
    data[0].permitted = data[0].effective = kept;
    data[0].effective &= ~(1U << CAP_KILL);
    if (syscall(SYS_capset, &header, data) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        exit(1);
}

/* ---- paths ---- */

int walk_from(int directory, const char *path, const char **last) {
    int at = openat(directory, *path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *slash;
    path += *path == '/';
    while (at >= 0 && (slash = strchr(path, '/'))) {
        char name[256];
        int next = -1;
        if (slash - path < (int)sizeof name) {
            memcpy(name, path, slash - path);
            name[slash - path] = 0;
            next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        close(at);
        at = next;
        path = slash + 1;
    }
    *last = path;
    return at;
}

static int walk(const char *path, const char **last) { return walk_from(AT_FDCWD, path, last); }

/* What has a name in a directory, if it is a file or a directory. */
static int find(int directory, const char *name) {
    struct stat found;
    int at = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (at >= 0 && !fstat(at, &found) && (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode)))
        return at;
    if (at >= 0)
        close(at);
    return -1;
}

/* What a file held is put back, else a placeholder, where nothing is or where the agent has put a link or the like meanwhile. */
static void hold_name(int directory, const char *name, const struct place *place) {
    const char *content = place->text;
    size_t size = place->size;
    struct timespec mark[2] = {{.tv_sec = MARK}, {.tv_sec = MARK}};
    for (char **each = placeholders; !content && *each; each++)
        if (!strncmp(*each, name, strlen(name)) && (*each)[strlen(name)] == '=')
            size = strlen(content = *each + strlen(name) + 1);
    unlinkat(directory, name, 0);
    if (!content)
        mkdirat(directory, name, 0755);
    else {
        int file = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (file < 0 || write(file, content, size) < 0)
            return;
        close(file);
    }
    if (!place->text)
        utimensat(directory, name, mark, AT_SYMLINK_NOFOLLOW);
}

static void remember(struct place *place, int directory, const char *name) {
    int file = strcmp(name, "config") ? -1 : openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat found;
    if (file >= 0 && !fstat(file, &found) && S_ISREG(found.st_mode) && found.st_size > 0 && found.st_size <= LARGEST) {
        char *text = malloc(LARGEST);
        ssize_t size = text ? read(file, text, LARGEST) : -1;
        if (size > 0) {
            free(place->text);
            place->text = text;
            place->size = size;
        } else
            free(text);
    }
    if (file >= 0)
        close(file);
}

/* Whether somebody has a file open for writing: the kernel grants no lease on it then. */
static int is_written(int directory, const char *name) {
    int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return 0;
    int written = fcntl(file, F_SETLEASE, F_RDLCK) && errno == EAGAIN;
    if (!written)
        fcntl(file, F_SETLEASE, F_UNLCK);
    close(file);
    return written;
}

/* Puts a copy of a file in its place, which is root's until it is given back: who has the old one open for writing writes to
 * nothing then, and nobody can open the new one. Returns the copy, or -1. */
static int make_anew(int directory, const char *name, struct stat *found) {
    static char text[LARGEST];
    char path[64], temporary[300];
    int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int here = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int copy = here < 0 ? -1 : openat(here, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    ssize_t size = file < 0 || copy < 0 || fstat(file, found) || found->st_size > LARGEST ? -1 : read(file, text, LARGEST);
    int done = -1;
    if (size >= 0 && write(copy, text, size) == size && !fchmod(copy, (found->st_mode & 0555) | 0440)) {
        struct timespec times[2] = {found->st_atim, found->st_mtim};
        futimens(copy, times);
        snprintf(path, sizeof path, "/proc/self/fd/%d", copy);
        snprintf(temporary, sizeof temporary, "%s.%d.agent-session", name, getpid());
        as_root();
        if (!fchown(copy, 0, -1) && !linkat(AT_FDCWD, path, here, temporary, AT_SYMLINK_FOLLOW) &&
            (done = renameat(here, temporary, here, name)))
            unlinkat(here, temporary, 0);
        as_agent();
    }
    for (int each = 0; each < 3; each++)
        if ((int[]){file, here, done ? copy : -1}[each] >= 0)
            close((int[]){file, here, done ? copy : -1}[each]);
    return done ? -1 : copy;
}

static void give_back(int copy, const struct stat *found) {
    if (copy < 0)
        return;
    as_root();
    int given = fchown(copy, found->st_uid, found->st_gid);
    as_agent();
    if (!given)
        fchmod(copy, found->st_mode & 0777);
    close(copy);
}

/* ---- mounts ---- */

static int mount_on(int target, const char *source, const char *type, unsigned long flags, const char *options) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", target);
    as_root();
    int done = mount(source ? source : path, path, type, flags, options);
    as_agent();
    return done;
}

static unsigned long flags_of(int at) {
    static const unsigned long pairs[][2] = {{ST_NODEV, MS_NODEV}, {ST_NOEXEC, MS_NOEXEC}, {ST_NOSUID, MS_NOSUID},
        {ST_NOATIME, MS_NOATIME}, {ST_NODIRATIME, MS_NODIRATIME}, {ST_RELATIME, MS_RELATIME}};
    struct statvfs found;
    unsigned long flags = 0;
    if (!fstatvfs(at, &found))
        for (unsigned each = 0; each < sizeof pairs / sizeof *pairs; each++)
            flags |= found.f_flag & pairs[each][0] ? pairs[each][1] : 0;
    return flags;
}

static int mount_read_only(int directory, const char *name, int at) {
    if (mount_on(at, NULL, NULL, MS_BIND, NULL))
        return -1;
    int mounted = find(directory, name);
    if (mounted < 0)
        return -1;
    int done = mount_on(mounted, "none", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | flags_of(mounted), NULL);
    close(mounted);
    return done;
}

/* What is mounted on a name, one on the other, is taken off. */
static void take_off(int directory, const char *name) {
    struct statx found;
    for (int each = 0; each < TRIES; each++) {
        char path[64];
        int at = find(directory, name);
        if (at < 0)
            return;
        if (statx(at, "", AT_EMPTY_PATH, STATX_TYPE, &found) || !(found.stx_attributes & STATX_ATTR_MOUNT_ROOT))
            each = TRIES;
        else {
            snprintf(path, sizeof path, "/proc/self/fd/%d", at);
            as_root();
            if (umount2(path, MNT_DETACH))
                each = TRIES;
            as_agent();
        }
        close(at);
    }
}

/* A file is read-only when it cannot be opened for writing any more and nobody has opened it before. */
static void restore_read_only(struct place *place, int directory, const char *name) {
    struct stat before;
    int copy = -1;
    for (int try = 0; try < TRIES; try++) {
        int at = find(directory, name);
        if (at < 0) {
            hold_name(directory, name, place);
            at = find(directory, name);
        }
        int closed = at >= 0 && !mount_read_only(directory, name, at) && !is_written(directory, name);
        if (at >= 0)
            close(at);
        if (closed)
            break;
        take_off(directory, name);
        give_back(copy, &before);
        copy = make_anew(directory, name, &before);
    }
    give_back(copy, &before);
    remember(place, directory, name);
}

static void restore(struct place *place) {
    const char *name;
    int directory = place ? walk(place->path, &name) : -1, at;
    if (directory < 0)
        return;
    if (place->how == READ_ONLY)
        restore_read_only(place, directory, name);
    else {
        if ((at = find(directory, name)) < 0 && place->how == EMPTY) {
            hold_name(directory, name, place);
            at = find(directory, name);
        }
        if (at >= 0 && place->how == EMPTY)
            mount_on(at, "tmpfs", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
        else if (at >= 0)
            mount_on(at, NULL, NULL, MS_BIND, NULL);
        if (at >= 0)
            close(at);
    }
    close(directory);
}

static void remember_all(void) {
    for (int each = 0; each < count; each++) {
        const char *name;
        int directory = wanted[each].how == READ_ONLY ? walk(wanted[each].path, &name) : -1;
        if (directory >= 0) {
            remember(&wanted[each], directory, name);
            close(directory);
        }
    }
}

/* ---- the table ---- */

static int is_the_containers_own(const char *path) {
    static const char *own[] = {"/proc/", "/sys/", "/dev/", "/run/", "/etc/", NULL};
    for (const char **each = own; *each; each++)
        if (!strncmp(path, *each, strlen(*each)) || (!strncmp(path, *each, strlen(*each) - 1) && !path[strlen(*each) - 1]))
            return 1;
    return !strcmp(path, "/") || !strcmp(path, "/home/agent") || !strcmp(path, "/workspace");
}

static void unescape(char *text) {
    char *to = text;
    for (; *text; to++)
        if (*text == '\\' && isdigit(text[1]) && isdigit(text[2]) && isdigit(text[3])) {
            *to = (text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0');
            text += 4;
        } else
            *to = *text++;
    *to = 0;
}

static struct place *known(const char *path, enum how how) {
    for (int each = 0; each < count; each++)
        if (wanted[each].how == how && !strcmp(wanted[each].path, path))
            return &wanted[each];
    return NULL;
}

static struct place *add(const char *path, enum how how) {
    struct place *place = known(path, how);
    if (!place && count < MOST) {
        place = &wanted[count++];
        *place = (struct place){.path = strdup(path), .how = how};
    }
    return place;
}

/* Marks what is mounted; with `learn` that is what is wanted. A mount below another one of the same path counts as well. */
static void read_table(int file, int learn) {
    size_t size = 0;
    ssize_t got;
    lseek(file, 0, SEEK_SET);
    while (size < sizeof table - 1 && (got = read(file, table + size, sizeof table - 1 - size)) > 0)
        size += got;
    table[size] = 0;
    for (int each = 0; each < count; each++)
        wanted[each].seen = 0;
    for (char *line = table, *next; *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = 0;
        char point[LONGEST], options[LONGEST], *type = strstr(line, " - ");
        if (!type || sscanf(line, "%*s %*s %*s %*s %4095s %4095s", point, options) != 2)
            continue;
        unescape(point);
        if (is_the_containers_own(point))
            continue;
        enum how how = !strncmp(type, " - tmpfs ", 9) ? EMPTY : !strncmp(options, "ro", 2) ? READ_ONLY : WRITABLE;
        struct place *place = learn ? add(point, how) : known(point, how);
        if (place)
            place->seen = 1;
    }
}

/* ---- what the host makes meanwhile ---- */

static int is_of_a_session(const char *worktree) {
    char path[LONGEST + 16], text[64] = "";
    const char *name;
    snprintf(path, sizeof path, "%s/gitdir", worktree);
    int directory = walk(path, &name), file = directory < 0 ? -1 : openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file >= 0 && read(file, text, sizeof text - 1) < 0)
        *text = 0;
    if (file >= 0)
        close(file);
    if (directory >= 0)
        close(directory);
    return *text != '/' || !strncmp(text, "/workspace/", 11) || !strncmp(text, "/home/agent/", 12) || !strncmp(text, "/tmp/", 5);
}

/* A worktree that the host has made since the start: what leads git elsewhere in it is not the agent's either. */
static void look_for_worktrees(void) {
    for (int each = 0, last = count; each < last; each++) {
        const char *path = wanted[each].path, *name;
        size_t length = strlen(path);
        if (wanted[each].how != WRITABLE || length < 11 || strcmp(path + length - 10, "/worktrees"))
            continue;
        int above = walk(path, &name), at = above < 0 ? -1 : openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *directory = at < 0 ? NULL : fdopendir(at);
        for (struct dirent *entry; directory && (entry = readdir(directory));) {
            char worktree[LONGEST], part[LONGEST + 32];
            snprintf(worktree, sizeof worktree, "%s/%s", path, entry->d_name);
            snprintf(part, sizeof part, "%s/commondir", worktree);
            if (*entry->d_name == '.' || entry->d_type != DT_DIR || known(worktree, WRITABLE) || is_of_a_session(worktree))
                continue;
            int parent = walk(part, &name), there = parent < 0 ? -1 : find(parent, name);
            if (there >= 0) {
                restore(add(worktree, WRITABLE));
                restore(add(part, READ_ONLY));
                snprintf(part, sizeof part, "%s/gitdir", worktree);
                restore(add(part, READ_ONLY));
                snprintf(part, sizeof part, "%s/config.worktree", worktree);
                restore(add(part, READ_ONLY));
                close(there);
            }
            if (parent >= 0)
                close(parent);
        }
        if (directory)
            closedir(directory);
        if (above >= 0)
            close(above);
    }
}

/* What is the session's own copy belongs to the agent: Podman can make a tmpfs for root only. */
static void give_hooks_away(void) {
    for (int each = 0; each < count; each++) {
        size_t length = strlen(wanted[each].path);
        if (wanted[each].how != EMPTY || length < 7 || strcmp(wanted[each].path + length - 6, "/hooks"))
            continue;
        int at = open(wanted[each].path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (at >= 0 && !fchown(at, AGENT, AGENT))
            fchmod(at, 0755);
        if (at >= 0)
            close(at);
    }
}

static int is_in(const char *path, const char *directory) {
    size_t length = strlen(directory);
    return !strncmp(path, directory, length) && path[length] == '/';
}

/* A git directory is where a commondir is read-only; of a bare one, which is read-only, some parts are writable. */
static void find_git_directories(void) {
    static const char *found[MOST];
    int last = 0;
    for (int each = 0; each < count; each++) {
        char *name = strrchr(wanted[each].path, '/'), above[LONGEST];
        snprintf(above, sizeof above, "%.*s", (int)(name - wanted[each].path), wanted[each].path);
        if (wanted[each].how == READ_ONLY && !strcmp(name, "/commondir"))
            found[last++] = strdup(above);
        else if (wanted[each].how == WRITABLE && known(above, READ_ONLY))
            guard_links_of(wanted[each].path, 0);
    }
    for (int each = 0; each < last; each++) {
        int is_part = 0;
        for (int other = 0; other < last; other++)
            is_part |= is_in(found[each], found[other]);
        if (!is_part)
            guard_links_of(found[each], 1);
    }
}

/* A process of its own, so that nothing that the agent does there delays a mount. It keeps the right to end programs, and
 * root's id, so that the agent cannot end it. Who comes into a container from outside has no parent there. */
static void guard_links_beside(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct kept[2] = {{.effective = 1 << CAP_KILL, .permitted = 1 << CAP_KILL}};
    int in_container = !getppid();
    find_git_directories();
    signal(SIGCHLD, SIG_IGN); /* where there is no git directory it ends at once, and nobody waits for it */
    if (fork())
        return;
    if (!prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) && !syscall(SYS_capset, &header, kept))
        guard_links(in_container);
    _exit(0);
}

int main(int argc, char **argv) {
    (void)argc;
    placeholders = argv + 1;
    umask(022);
    int file = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 1;
    read_table(file, 1);
    if (!count)
        return 0;
    give_hooks_away();
    keep_the_right_to_mount();
    as_agent();
    guard_links_beside();
    remember_all();
    for (struct pollfd changed = {.fd = file, .events = POLLPRI};; poll(&changed, 1, LOOK_MS)) {
        read_table(file, 0);
        for (int each = 0; each < count; each++)
            if (!wanted[each].seen)
                restore(&wanted[each]);
        look_for_worktrees();
    }
}
