#include "priv/syscalls.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define PR_NAME_MEMORY 0x53564d41 /* PR_SET_VMA, with which malloc names its memory */

static const int base[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(preadv),
    SCMP_SYS(pwritev),
    SCMP_SYS(close),
    SCMP_SYS(close_range),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(lseek),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(mlock),
    SCMP_SYS(mlock2),
    SCMP_SYS(munlock),
    SCMP_SYS(mincore),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(signalfd4),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(futex),
    SCMP_SYS(membarrier),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(prlimit64),
    SCMP_SYS(getrlimit),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendfile),
    SCMP_SYS(splice),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(fcntl),
    SCMP_SYS(tgkill), /* abort() */
    SCMP_SYS(wait4),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

static const int accepting[] = {SCMP_SYS(accept), SCMP_SYS(accept4)};

#define SOCKET_TYPE 0xfU /* without SOCK_CLOEXEC and SOCK_NONBLOCK */
static const int connecting[] = {SCMP_SYS(connect), SCMP_SYS(bind)};

static const int files[] = {
    SCMP_SYS(open),       SCMP_SYS(openat),          SCMP_SYS(stat),       SCMP_SYS(lstat),
    SCMP_SYS(access),     SCMP_SYS(faccessat),       SCMP_SYS(faccessat2), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(getdents64),      SCMP_SYS(mkdir),      SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),      SCMP_SYS(unlink),          SCMP_SYS(unlinkat),   SCMP_SYS(rename),
    SCMP_SYS(renameat),   SCMP_SYS(renameat2),       SCMP_SYS(truncate),   SCMP_SYS(ftruncate),
    SCMP_SYS(fsync),      SCMP_SYS(fdatasync),       SCMP_SYS(fallocate),  SCMP_SYS(fadvise64),
    SCMP_SYS(fchmod),     SCMP_SYS(fchown),          SCMP_SYS(umask),      SCMP_SYS(flock),
    SCMP_SYS(getcwd),     SCMP_SYS(statfs),          SCMP_SYS(fstatfs),    SCMP_SYS(sync_file_range),
    SCMP_SYS(utimensat),  SCMP_SYS(copy_file_range), SCMP_SYS(syncfs),     SCMP_SYS(msync),
};

static const int forking[] = {SCMP_SYS(clone), SCMP_SYS(fork),  SCMP_SYS(vfork),    SCMP_SYS(waitid),
                              SCMP_SYS(kill),  SCMP_SYS(prctl), SCMP_SYS(setrlimit)};

/* What nobody calls by mistake. */
static const int deadly[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(bpf),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(add_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(open_by_handle_at),
};
#define DEADLY_EXECS 2 /* the first ones, which the supervisor needs */

static int add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int result = seccomp_rule_add(filter, action, calls[i], 0);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Calls that depend on an argument: threads but no processes, local socket pairs, naming, harmless ioctls. */
static int add_by_argument(scmp_filter_ctx filter)
{
    static const struct {
        int call;
        struct scmp_arg_cmp when;
    } rows[] = {
        {SCMP_SYS(clone), {0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD}},
        {SCMP_SYS(socketpair), {0, SCMP_CMP_EQ, AF_UNIX, 0}},
        {SCMP_SYS(prctl), {0, SCMP_CMP_EQ, PR_SET_NAME, 0}},
        {SCMP_SYS(prctl), {0, SCMP_CMP_EQ, PR_NAME_MEMORY, 0}},
        {SCMP_SYS(prctl), {0, SCMP_CMP_EQ, PR_SET_PDEATHSIG, 0}},
        {SCMP_SYS(prctl), {0, SCMP_CMP_EQ, PR_GET_DUMPABLE, 0}},
        {SCMP_SYS(ioctl), {1, SCMP_CMP_EQ, FIONBIO, 0}},
        {SCMP_SYS(ioctl), {1, SCMP_CMP_EQ, FIONREAD, 0}},
        {SCMP_SYS(ioctl), {1, SCMP_CMP_EQ, FIOCLEX, 0}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rows[i].call, 1, &rows[i].when);
        if (result < 0)
            return result;
    }
    /* The C library falls back to clone, whose flags a filter can see. */
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/* UDP and TCP sockets; bind() is for a datagram's own port, which nobody should guess. */
static int add_connecting(scmp_filter_ctx filter)
{
    static const int families[] = {AF_INET, AF_INET6};
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    int result = add(filter, SCMP_ACT_ALLOW, connecting, COUNT_OF(connecting));
    for (size_t i = 0; i < COUNT_OF(families); i++)
        for (size_t k = 0; result == 0 && k < COUNT_OF(types); k++)
            result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                                      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0),
                                      SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, (scmp_datum_t)types[k]));
    return result;
}

static int fill_role(scmp_filter_ctx filter, unsigned groups)
{
    int result = add(filter, SCMP_ACT_ALLOW, base, COUNT_OF(base));
    if (result == 0 && groups & CALLS_ACCEPT)
        result = add(filter, SCMP_ACT_ALLOW, accepting, COUNT_OF(accepting));
    if (result == 0 && groups & CALLS_CONNECT)
        result = add_connecting(filter);
    if (result == 0 && groups & CALLS_FILES)
        result = add(filter, SCMP_ACT_ALLOW, files, COUNT_OF(files));
    if (result == 0 && groups & CALLS_FORK)
        result = add(filter, SCMP_ACT_ALLOW, forking, COUNT_OF(forking));
    if (result == 0)
        result = add_by_argument(filter);
    if (result == 0)
        result = add(filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT_OF(deadly));
    /* A library that looks for a local daemon gets EPERM; whoever wants the network, or raw packets, is not ours. */
    if (result < 0)
        return result;
    const struct scmp_arg_cmp foreign =
        groups & CALLS_CONNECT ? SCMP_A0(SCMP_CMP_GT, AF_INET6, 0) : SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0);
    return seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket), 1, foreign);
}

static int fill_supervisor(scmp_filter_ctx filter)
{
    int result = add(filter, SCMP_ACT_KILL_PROCESS, deadly + DEADLY_EXECS, COUNT_OF(deadly) - DEADLY_EXECS);
    return result < 0 ? result
                      : seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket), 1,
                                         SCMP_A0(SCMP_CMP_GT, AF_NETLINK, 0));
}

static int install(unsigned groups)
{
    int whole = groups == CALLS_SUPERVISOR;
    scmp_filter_ctx filter = seccomp_init(whole ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL)
        return -ENOMEM;
    int result = whole ? fill_supervisor(filter) : fill_role(filter, groups);
    if (result == 0) /* a sorted tree of comparisons instead of a list: some 20 instead of 150 per call */
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result;
}

int syscalls_enter(unsigned groups)
{
    return SYSCALLS_SANITIZED ? 0 : install(groups);
}
