#include "ipc/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "rt/task.h"
#include "rt/watch.h"

#define SOCKET_BUFFER (1 << 20)
#define READ_BURST 32 /* messages taken in one go before others get their turn */

struct channel {
    struct loop *loop;
    const struct channel_hooks *hooks;
    void *arg;
    struct watch *watch;
    struct map *calls; /* call number to struct call */
    struct list queue;
    size_t queued;
    struct event room; /* pulsed when the queue has shrunk */
    uint64_t last_call;
    uint64_t tag;
    enum ipc_role self;
    enum ipc_role peer;
    int fd;
    int references;
    int fault;
    bool is_open;
};

/* A call under way: on the stack of the task that made it. */
struct call {
    struct task *task;
    enum ipc_type answer;
    struct ipc_message *reply;
};

struct packet {
    struct list_link link;
    size_t len;
    unsigned fd_count;
    int fds[IPC_FDS_MAX];
    uint8_t bytes[];
};

/* What a message is received into before it is decoded into a block of its own; wiped after each. */
static uint8_t receive_room[IPC_PACKET_MAX];

int channel_pair(int ret_fds[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        int size = SOCKET_BUFFER;
        if (setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
            (void)setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    }
    return 0;
}

static void on_ready(void *arg, unsigned ready);

int channel_new(struct loop *loop, int fd, enum ipc_role self, enum ipc_role peer, const struct channel_hooks *hooks,
                void *arg, struct channel **ret_channel)
{
    AUTO_FD int owned = fd;
    AUTO(map) struct map *calls = NULL;
    AUTO_FREE struct channel *channel = mem_new(sizeof(*channel));
    int result = map_new(&calls);
    if (channel == NULL || result < 0)
        return -ENOMEM;
    AUTO(watch) struct watch *watch = NULL;
    result = watch_new(loop, fd, &watch);
    if (result < 0)
        return result;
    *channel = (struct channel){
        .loop = loop,
        .hooks = hooks,
        .arg = arg,
        .self = self,
        .peer = peer,
        .fd = fd,
        .references = 1,
        .is_open = true,
    };
    list_init(&channel->queue);
    event_init(&channel->room);
    result = watch_call(watch, WATCH_READ, on_ready, channel);
    if (result < 0)
        return result;
    channel->watch = TAKE(watch);
    channel->calls = TAKE(calls);
    (void)TAKE_FD(owned);
    *ret_channel = TAKE(channel);
    return 0;
}

struct channel *channel_ref(struct channel *channel)
{
    channel->references++;
    return channel;
}

void channel_unref(struct channel *channel)
{
    if (channel == NULL || --channel->references > 0)
        return;
    channel_close(channel);
    map_free(channel->calls);
    free(channel);
}

void channel_free(struct channel *channel)
{
    if (channel == NULL)
        return;
    channel_close(channel);
    channel_unref(channel);
}

static void packet_free(struct packet *packet)
{
    for (unsigned i = 0; i < packet->fd_count; i++)
        (void)close(packet->fds[i]);
    explicit_bzero(packet->bytes, packet->len);
    free(packet);
}

void channel_close(struct channel *channel)
{
    if (!channel->is_open)
        return;
    channel->is_open = false;
    watch_free(TAKE(channel->watch));
    (void)close(TAKE_FD(channel->fd));
    uint64_t number = 0;
    void *call = NULL;
    for (size_t cursor = 0; map_next(channel->calls, &cursor, &number, &call);)
        task_wake(((struct call *)call)->task, -EPIPE);
    for (struct list_link *link; (link = list_pop(&channel->queue)) != NULL;)
        packet_free(LIST_ITEM(link, struct packet, link));
    channel->queued = 0;
    event_pulse(&channel->room);
}

bool channel_is_open(const struct channel *channel)
{
    return channel->is_open;
}

int channel_fault(const struct channel *channel)
{
    return channel->fault;
}

enum ipc_role channel_peer(const struct channel *channel)
{
    return channel->peer;
}

size_t channel_queued(const struct channel *channel)
{
    return channel->queued;
}

/* The pages that lie wholly within the room; they read as zeros, as they did. */
void channel_trim(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t before = (page - (uintptr_t)receive_room % page) % page;
    (void)madvise(receive_room + before, (sizeof(receive_room) - before) / page * page, MADV_DONTNEED);
}

void channel_set_tag(struct channel *channel, uint64_t tag)
{
    channel->tag = tag;
}

uint64_t channel_tag(const struct channel *channel)
{
    return channel->tag;
}

/* The channel ended without our doing. */
static void channel_lost(struct channel *channel, int result)
{
    if (!channel->is_open)
        return;
    if (result != -EPIPE && channel->fault == 0)
        channel->fault = result;
    channel_close(channel);
    if (channel->hooks->closed != NULL)
        channel->hooks->closed(channel->arg, channel);
}

/* Receiving. */

/* The descriptors that came, as many as a message may carry; returns how many there were. */
static size_t collect_fds(struct msghdr *head, struct ipc_message *message)
{
    size_t total = 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(head); control != NULL; control = CMSG_NXTHDR(head, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        total += count;
        for (size_t i = 0; i < count; i++) {
            int fd = -1;
            memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(fd));
            if (message->fd_count < IPC_FDS_MAX)
                message->fds[message->fd_count++] = fd;
            else
                (void)close(fd);
        }
    }
    return total;
}

/* We are out of descriptors, and the kernel has dropped those that came along: that is no fault of the peer's. The
 * message goes on without them, as -1, and whoever needs them refuses what was asked. */
static void miss_fds(struct ipc_message *message)
{
    unsigned count = ipc_fd_count(message->type);
    log_warn("ipc.descriptors.short", F_TEXT("type", ipc_type_name(message->type)));
    while (message->fd_count < count)
        message->fds[message->fd_count++] = -1;
}

static int check(const struct channel *channel, const struct ipc_message *message)
{
    if (!ipc_may_send(message->type, channel->peer, channel->self))
        return -EPERM;
    if (!ipc_fd_count_fits(message->type, message->fd_count) || !ipc_call_fits(message))
        return -EBADMSG;
    return 0;
}

/* One packet. -EAGAIN where there is none, -EPIPE where the peer is gone. */
static int receive(struct channel *channel, struct ipc_message **ret_message)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE((IPC_FDS_MAX + 1) * sizeof(int))]; /* one more, to tell who sends too many */
    } control;
    struct iovec part = {receive_room, sizeof(receive_room)};
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t len = recvmsg(channel->fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (len <= 0)
        return len == 0 || errno == ECONNRESET ? -EPIPE : errno == EINTR ? -EAGAIN : -errno;
    struct ipc_message carried = {.fd_count = 0};
    bool too_many = collect_fds(&head, &carried) > IPC_FDS_MAX;
    AUTO(ipc_message) struct ipc_message *message = NULL;
    int result = (head.msg_flags & MSG_TRUNC) != 0 || too_many
                     ? -EBADMSG
                     : ipc_message_decode(span_of(receive_room, (size_t)len), &message);
    explicit_bzero(receive_room, (size_t)len);
    if (result < 0) {
        ipc_message_close_fds(&carried);
        return result;
    }
    message->fd_count = carried.fd_count;
    memcpy(message->fds, carried.fds, sizeof(carried.fds));
    if ((head.msg_flags & MSG_CTRUNC) != 0)
        miss_fds(message);
    result = check(channel, message);
    if (result < 0) {
        log_error("ipc.message.refused", F_TEXT("type", ipc_type_name(message->type)),
                  F_TEXT("peer", ipc_role_name(channel->peer)), F_FAULT(result));
        return result;
    }
    *ret_message = TAKE(message);
    return 0;
}

/* An answer to nothing comes after its call was given up. */
static int take_reply(struct channel *channel, struct ipc_message *reply)
{
    struct call *call = map_get(channel->calls, reply->call);
    if (call != NULL && call->answer != reply->type) {
        ipc_message_free(reply);
        return -EBADMSG;
    }
    if (call == NULL || call->reply != NULL) {
        ipc_message_free(reply);
        return 0;
    }
    call->reply = reply;
    task_wake(call->task, 0);
    return 0;
}

static void receive_burst(struct channel *channel)
{
    for (int i = 0; i < READ_BURST && channel->is_open; i++) {
        struct ipc_message *message = NULL;
        int result = receive(channel, &message);
        if (result == -EAGAIN)
            return;
        if (result == 0 && message->is_reply)
            result = take_reply(channel, message);
        else if (result == 0)
            channel->hooks->message(channel->arg, channel, message);
        if (result < 0) {
            if (result != -EPIPE)
                log_error("ipc.channel.ended", F_TEXT("peer", ipc_role_name(channel->peer)), F_FAULT(result));
            channel_lost(channel, result);
            return;
        }
    }
}

/* Sending. */

/* -EAGAIN: later. */
static int transmit(int fd, span_t bytes, const int *fds, unsigned fd_count)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {(void *)(uintptr_t)bytes.at, bytes.len};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        head.msg_control = &control;
        head.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *first = CMSG_FIRSTHDR(&head);
        first->cmsg_level = SOL_SOCKET;
        first->cmsg_type = SCM_RIGHTS;
        first->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(first), fds, fd_count * sizeof(int));
    }
    ssize_t sent = sendmsg(fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0)
        return 0;
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ETOOMANYREFS)
        return -EAGAIN;
    return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
}

static int send_queue(struct channel *channel)
{
    for (struct list_link *link; (link = list_first(&channel->queue)) != NULL;) {
        struct packet *packet = LIST_ITEM(link, struct packet, link);
        int result = transmit(channel->fd, span_of(packet->bytes, packet->len), packet->fds, packet->fd_count);
        if (result < 0)
            return result == -EAGAIN ? 0 : result;
        list_remove(link);
        channel->queued -= packet->len;
        packet_free(packet);
    }
    return watch_call(channel->watch, WATCH_READ, on_ready, channel);
}

static int enqueue(struct channel *channel, span_t bytes, struct ipc_message *message)
{
    if (channel->queued + bytes.len > CHANNEL_QUEUE_MAX)
        return -ENOBUFS;
    struct packet *packet = mem_new(sizeof(*packet) + bytes.len);
    if (packet == NULL)
        return -ENOMEM;
    memcpy(packet->bytes, bytes.at, bytes.len);
    packet->len = bytes.len;
    packet->fd_count = message->fd_count;
    memcpy(packet->fds, message->fds, sizeof(packet->fds));
    message->fd_count = 0;
    list_push(&channel->queue, &packet->link);
    channel->queued += bytes.len;
    return watch_call(channel->watch, WATCH_READ | WATCH_WRITE, on_ready, channel);
}

static int send_packet(struct channel *channel, struct ipc_message *message)
{
    AUTO_BUF struct buf packet;
    buf_init(&packet, IPC_PACKET_MAX);
    int result = ipc_message_encode(message, &packet);
    if (result < 0)
        return result;
    span_t bytes = buf_span(&packet);
    result = -EAGAIN;
    if (list_is_empty(&channel->queue))
        result = transmit(channel->fd, bytes, message->fds, message->fd_count);
    if (result == -EAGAIN)
        result = enqueue(channel, bytes, message);
    explicit_bzero(packet.bytes, packet.end);
    return result;
}

/* A fault of the peer's is reported from the loop, not from inside a call of the one who sends: the end of the channel
 * makes the descriptor readable, and on_ready() finds it. */
static int send_message(struct channel *channel, struct ipc_message *message)
{
    assert(ipc_may_send(message->type, channel->self, channel->peer));
    int result = channel->is_open ? send_packet(channel, message) : -EPIPE;
    ipc_message_close_fds(message);
    if (result == -ENOBUFS) {
        channel->fault = result;
        (void)shutdown(channel->fd, SHUT_RDWR);
    }
    return result;
}

int channel_send(struct channel *channel, struct ipc_message *message)
{
    message->call = 0;
    message->is_reply = false;
    return send_message(channel, message);
}

int channel_reply(struct channel *channel, uint64_t call, struct ipc_message *reply)
{
    reply->call = call;
    reply->is_reply = true;
    return send_message(channel, reply);
}

static void on_ready(void *arg, unsigned ready)
{
    struct channel *channel = channel_ref(arg);
    if ((ready & WATCH_WRITE) != 0) {
        int result = send_queue(channel);
        event_pulse(&channel->room);
        if (result < 0)
            channel_lost(channel, result);
    }
    if ((ready & WATCH_READ) != 0 && channel->is_open)
        receive_burst(channel);
    channel_unref(channel);
}

/* Calls. */

static int wait_for_room(struct task *task, struct channel *channel)
{
    while (channel->is_open && channel->queued > CHANNEL_QUEUE_MAX / 2) {
        int result = event_wait(task, &channel->room, FOREVER);
        if (result < 0)
            return result;
    }
    return task_is_cancelled(task) ? -ECANCELED : 0;
}

static int call_once(struct task *task, struct channel *channel, struct ipc_message *request, int64_t timeout_ms,
                     struct ipc_message **ret_reply)
{
    struct call call = {.task = task, .answer = ipc_answer(request->type)};
    assert(call.answer != IPC_TYPE_COUNT);
    int result = wait_for_room(task, channel);
    request->call = ++channel->last_call;
    request->is_reply = false;
    if (result == 0)
        result = map_put(channel->calls, request->call, &call);
    if (result < 0) {
        ipc_message_close_fds(request);
        return result;
    }
    result = send_message(channel, request);
    if (result == 0)
        result = task_suspend(task, timeout_ms);
    (void)map_remove(channel->calls, request->call);
    if (result == 0)
        *ret_reply = call.reply;
    else
        ipc_message_free(call.reply);
    return result;
}

int channel_call_within(struct task *task, struct channel *channel, struct ipc_message *request, int64_t timeout_ms,
                        struct ipc_message **ret_reply)
{
    (void)channel_ref(channel);
    int result = call_once(task, channel, request, timeout_ms, ret_reply);
    channel_unref(channel);
    return result;
}

int channel_call(struct task *task, struct channel *channel, struct ipc_message *request,
                 struct ipc_message **ret_reply)
{
    return channel_call_within(task, channel, request, FOREVER, ret_reply);
}
