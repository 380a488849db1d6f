/* An agent that tries, one system call each, what a session's seccomp profile is to refuse. Each line: NAME ERRNO (0: it worked).
   walls DIRECTORY: files are made there; whoever runs this looks at their modes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#define CLONE_NEWTIME_ 0x80

static void say(const char *name, long result) {
    printf("%s %d\n", name, result < 0 ? errno : 0);
    fflush(stdout);
}

/* In a child, because some of these cannot be undone. */
#define TRY(name, call)                                                        \
    do {                                                                       \
        fflush(stdout);                                                        \
        pid_t child_ = fork();                                                 \
        if (child_ == 0) {                                                     \
            errno = 0;                                                         \
            long result_ = (long)(call);                                       \
            say(name, result_);                                                \
            _exit(0);                                                          \
        }                                                                      \
        int status_;                                                           \
        waitpid(child_, &status_, 0);                                          \
        if (!WIFEXITED(status_)) printf("%s -1\n", name), fflush(stdout);       \
    } while (0)

struct clone3_arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

static long by_clone(unsigned long flags) {
    long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    return pid;
}

static long by_clone3(uint64_t flags) {
    struct clone3_arguments arguments = {.flags = flags, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) _exit(0);
    return pid;
}

static long made(const char *name, long descriptor) {
    (void)name;
    return descriptor;
}

static char where[4000];
static const char *file(const char *name) {
    static char path[4200];
    snprintf(path, sizeof path, "%s/%s", where, name);
    return path;
}
static const char *plain(const char *name) {
    const char *path = file(name);
    close(open(path, O_CREAT | O_WRONLY, 0755));
    return path;
}

static long open_tmpfile(const char *name) {
    int fd = open(where, O_TMPFILE | O_RDWR, 06755);
    if (fd < 0) return fd;
    char link_[64];
    snprintf(link_, sizeof link_, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, link_, AT_FDCWD, file(name), AT_SYMLINK_FOLLOW);
}

static long openat2_(const char *path, unsigned long mode) {
    uint64_t how[3] = {O_CREAT | O_WRONLY, mode, 0};
    return syscall(SYS_openat2, AT_FDCWD, path, how, sizeof how);
}

#if defined(__x86_64__)
/* The 32-bit entry to the kernel, which counts its calls differently. Pointers must be below 4 GB. */
static char *low;
static long by_int80(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(0L), "D"(0L) : "memory", "r8", "r9", "r10", "r11");
    result = (int)result;
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return result;
}
static long low_path(const char *path) {
    strcpy(low, path);
    return (long)low;
}
static long fork_int80(long flags) {
    long pid = by_int80(120, flags | SIGCHLD, 0, 0);
    if (pid == 0) _exit(0);
    return pid;
}
#endif

int main(int count, char **words) {
    if (count != 2) return 2;
    snprintf(where, sizeof where, "%s", words[1]);
    umask(0);

    TRY("unshare-user", unshare(CLONE_NEWUSER));
    TRY("unshare-user-and-mount", unshare(CLONE_NEWUSER | CLONE_NEWNS));
    TRY("unshare-user-high-bits", syscall(SYS_unshare, 0x100000000UL | CLONE_NEWUSER));
    TRY("unshare-mount", unshare(CLONE_NEWNS));
    TRY("unshare-net", unshare(CLONE_NEWNET));
    TRY("unshare-time", unshare(CLONE_NEWTIME_));
    TRY("clone-user", by_clone(CLONE_NEWUSER));
    TRY("clone-user-high-bits", by_clone(0x100000000UL | CLONE_NEWUSER));
    TRY("clone-user-pid-mount", by_clone(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS));
    TRY("clone3-user", by_clone3(CLONE_NEWUSER));
    TRY("setns-mount", setns(open("/proc/self/ns/mnt", O_RDONLY), 0));
    TRY("setns-user", setns(open("/proc/self/ns/user", O_RDONLY), 0));
    TRY("setns-pidfd", setns((int)syscall(SYS_pidfd_open, getpid(), 0), CLONE_NEWNS));

    TRY("mount-bind", syscall(SYS_mount, "/tmp", "/mnt", 0, 4096, 0));
    TRY("umount2", syscall(SYS_umount2, "/workspace", 2));
    TRY("pivot_root", syscall(SYS_pivot_root, ".", "."));
    TRY("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    TRY("fspick", syscall(SYS_fspick, AT_FDCWD, "/", 0));
    TRY("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/tmp", 1));
    TRY("open_tree-no-clone", syscall(SYS_open_tree, AT_FDCWD, "/tmp", 0));
    TRY("move_mount", syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/mnt", 0));
    TRY("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, 0, 0));

    TRY("keyctl", syscall(SYS_keyctl, 0, -3, 1, 0, 0));
    TRY("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
    TRY("request_key", syscall(SYS_request_key, "user", "x", 0, -3));
    TRY("io_uring_setup", syscall(SYS_io_uring_setup, 4, (char[200]){0}));

    TRY("chmod", chmod(plain("chmod"), 04755));
    TRY("chmod-group", chmod(plain("chmod-group"), 02755));
    TRY("chmod-high-bits", syscall(SYS_fchmodat, AT_FDCWD, plain("chmod-high-bits"), 0x100000000UL | 04755));
    TRY("fchmod", fchmod(open(plain("fchmod"), O_RDONLY), 04755));
    TRY("fchmodat", syscall(SYS_fchmodat, AT_FDCWD, plain("fchmodat"), 06755));
    TRY("fchmodat2", syscall(SYS_fchmodat2, AT_FDCWD, plain("fchmodat2"), 06755, 0));
    TRY("openat", made("openat", syscall(SYS_openat, AT_FDCWD, file("openat"), O_CREAT | O_WRONLY, 04755)));
    TRY("openat2", openat2_(file("openat2"), 04755));
    TRY("tmpfile", open_tmpfile("tmpfile"));
    TRY("mknodat", syscall(SYS_mknodat, AT_FDCWD, file("mknodat"), S_IFREG | 04755, 0));
#if defined(__x86_64__)
    TRY("open", syscall(SYS_open, file("open"), O_CREAT | O_WRONLY, 04755));
    TRY("creat", syscall(SYS_creat, file("creat"), 02755));
    TRY("mknod", syscall(SYS_mknod, file("mknod"), S_IFREG | 04755, 0));
    TRY("chmod-by-number", syscall(SYS_chmod, plain("chmod-by-number"), 06755));
    TRY("chmod-x32", syscall(0x40000000L | SYS_chmod, plain("chmod-x32"), 06755));
    TRY("openat-x32", syscall(0x40000000L | SYS_openat, AT_FDCWD, file("openat-x32"), O_CREAT | O_WRONLY, 04755));
    TRY("unshare-x32", syscall(0x40000000L | SYS_unshare, CLONE_NEWUSER));
    low = mmap((void *)0x10000000, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    TRY("chmod-32", by_int80(15, low_path(plain("chmod-32")), 06755, 0));
    TRY("fchmod-32", by_int80(94, open(plain("fchmod-32"), O_RDONLY), 06755, 0));
    TRY("open-32", by_int80(5, low_path(file("open-32")), O_CREAT | O_WRONLY, 04755));
    TRY("creat-32", by_int80(8, low_path(file("creat-32")), 04755, 0));
    TRY("mknod-32", by_int80(14, low_path(file("mknod-32")), S_IFREG | 04755, 0));
    TRY("fchmodat-32", by_int80(306, AT_FDCWD, low_path(plain("fchmodat-32")), 04755));
    TRY("unshare-32", by_int80(310, CLONE_NEWUSER, 0, 0));
    TRY("clone-32", fork_int80(CLONE_NEWUSER));
    TRY("mount-32", by_int80(21, low_path("/tmp"), low_path("/mnt"), 0));
    TRY("umount-32", by_int80(22, low_path("/workspace"), 0, 0));
    TRY("keyctl-32", by_int80(288, 0, -3, 1));
#endif

    /* What is no attack works: a plain mode, a plain child, a thread's flags, a mode that means nothing because nothing is made. */
    TRY("plain-chmod", chmod(plain("plain-chmod"), 0755));
    TRY("plain-sticky", mkdir(file("plain-sticky"), 01777));
    TRY("plain-open", syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 07777));
    TRY("plain-child", by_clone(0));
    TRY("plain-unshare", unshare(CLONE_FILES));
    TRY("plain-mknod", syscall(SYS_mknodat, AT_FDCWD, file("fifo"), S_IFIFO | 0600, 0));
    return 0;
}
