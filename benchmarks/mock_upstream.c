/*
 * A fast, paced upstream for benchmarks: speaks enough of OpenAI's wire to stream, and nothing more.
 *
 *     cc -O2 -o mock_upstream mock_upstream.c && ./mock_upstream --port 9100 --tokens 200 --pace-us 20000
 *
 * Every stream gets its head, a role frame and its first token at once, then one ~300-byte `chat.completion.chunk` every
 * `pace` (0: all at once), a finish frame, a usage frame and `[DONE]`. An answer has --tokens tokens, fewer where the
 * request's `max_tokens` says so; a request for a title gets five. A request without `"stream": true` gets a whole answer, a GET the list of models.
 * `GET /pace/20000/200` sets pace and tokens anew, so that what is slow to start need not start again for another pace.
 *
 * One thread, epoll, and one wheel of timers that turns half a millisecond at a time: a stream's frames are due at
 * its own beginning plus a whole number of paces, so streams that begin spread out stay spread out. Each turn is a wake-up
 * of 15 us on a virtual machine, so twice as many took more than the frames of 200 streams. A frame that was late does
 * not move those after it. What a client does not read yet waits here, and nothing is left out.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TURN_NS 500000LL
#define SLOTS 4096
#define WORDS 10
#define LARGEST_REQUEST (4 << 20)

#define ID "chatcmpl-9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"
#define FRAME(delta, finish)                                                                                       \
    "data: {\"id\":\"" ID "\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,\"model\":\"mock\","       \
    "\"system_fingerprint\":\"fp_50cad350e4\",\"service_tier\":\"default\",\"choices\":[{\"index\":0,\"delta\":{"    \
    delta "},\"logprobs\":null,\"finish_reason\":" finish "}],\"usage\":null}\n\n"
#define HEAD "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

static const char *words[WORDS] = {"the ",   "quick ",  "brown ", "fox ", "**jumps** ",
                                   "over ", "`lazy` ", "dogs, ", "and ", "rests.\\n\\n"};
static const char models[] = "{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\",\"owned_by\":\"mock\"}]}";
static const char whole[] = "{\"id\":\"" ID "\",\"object\":\"chat.completion\",\"created\":1763800000,\"model\":\"mock\","
                            "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"A title\"},"
                            "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":2,"
                            "\"total_tokens\":14}}";

typedef struct client {
    int fd, is_watching_writes;
    char *in;
    size_t in_used, in_size;
    char *out;  /* what the socket did not take yet */
    size_t out_used, out_size;
    long sent, wanted;  /* tokens of the stream that runs; wanted is 0 where none does */
    int64_t due;
    struct client **slot, *next, *previous;
} client;

static client *wheel[SLOTS];
static client *ended;  /* freed once the events of this turn are through */
static int64_t turned, pace = 10000000;
static long tokens = 200, running;
static int poll_fd, timer_fd, timer_is_on;
static char frames[WORDS][512], role[512];
static size_t frame_lengths[WORDS], role_length;

static int64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void set_timer(int is_on) {
    if (is_on == timer_is_on) return;
    struct itimerspec every = {{0, is_on ? TURN_NS : 0}, {0, is_on ? TURN_NS : 0}};
    timerfd_settime(timer_fd, 0, &every, NULL);
    timer_is_on = is_on;
    if (is_on) turned = now_ns() / TURN_NS;
}

static void wait_in_wheel(client *who) {
    int64_t turn = who->due / TURN_NS;
    if (turn <= turned) turn = turned + 1;
    client **slot = &wheel[turn % SLOTS];
    who->slot = slot, who->previous = NULL, who->next = *slot;
    if (who->next) who->next->previous = who;
    *slot = who;
}

static void leave_wheel(client *who) {
    if (!who->slot) return;
    if (who->previous) who->previous->next = who->next;
    else *who->slot = who->next;
    if (who->next) who->next->previous = who->previous;
    who->slot = NULL;
}

static void watch_writes(client *who, int is_wanted) {
    if (who->is_watching_writes == is_wanted) return;
    struct epoll_event event = {EPOLLIN | (is_wanted ? EPOLLOUT : 0), {.ptr = who}};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, who->fd, &event);
    who->is_watching_writes = is_wanted;
}

static void drop(client *who) {
    if (who->fd < 0) return;
    if (who->wanted) set_timer(--running > 0);
    leave_wheel(who);
    close(who->fd);
    who->fd = -1;
    who->next = ended, ended = who;
}

static void keep(client *who, const char *data, size_t length) {
    if (who->out_used + length > who->out_size) {
        who->out_size = (who->out_used + length) * 2;
        who->out = realloc(who->out, who->out_size);
    }
    memcpy(who->out + who->out_used, data, length);
    who->out_used += length;
}

static void put(client *who, const char *data, size_t length) {
    if (who->fd < 0) return;
    if (!who->out_used) {
        ssize_t taken = send(who->fd, data, length, MSG_NOSIGNAL);
        if (taken < 0 && errno != EAGAIN) { drop(who); return; }
        if (taken > 0) data += taken, length -= (size_t)taken;
    }
    if (length) {
        keep(who, data, length);
        watch_writes(who, 1);
    }
}

static void flush(client *who) {
    ssize_t taken = send(who->fd, who->out, who->out_used, MSG_NOSIGNAL);
    if (taken < 0) {
        if (errno != EAGAIN) drop(who);
        return;
    }
    who->out_used -= (size_t)taken;
    memmove(who->out, who->out + taken, who->out_used);
    if (!who->out_used) watch_writes(who, 0);
}

static size_t as_chunk(char *into, const char *text) {
    return (size_t)sprintf(into, "%zx\r\n%s\r\n", strlen(text), text);
}

/* The frames that end a stream: why it ended, what it took, the end itself. */
static size_t ending(char *into, long count) {
    char usage[512];
    sprintf(usage,
            "data: {\"id\":\"" ID "\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,\"model\":\"mock\","
            "\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":%ld,\"total_tokens\":%ld}}\n\n"
            "data: [DONE]\n\n",
            count, count + 12);
    size_t length = as_chunk(into, FRAME("", "\"stop\""));
    length += as_chunk(into + length, usage);
    return length + (size_t)sprintf(into + length, "0\r\n\r\n");
}

/* Send so many tokens in one write, with the end behind the last of them. */
static void send_tokens(client *who, long count, int is_first) {
    size_t length = 0, room = sizeof HEAD + sizeof role + 2048 + (size_t)count * sizeof frames[0];
    char *text = malloc(room);
    if (is_first) {
        memcpy(text, HEAD, sizeof HEAD - 1);
        memcpy(text + sizeof HEAD - 1, role, role_length);
        length = sizeof HEAD - 1 + role_length;
    }
    for (; count > 0; count--, who->sent++) {
        int word = (int)(who->sent % WORDS);
        memcpy(text + length, frames[word], frame_lengths[word]);
        length += frame_lengths[word];
    }
    int is_last = who->sent == who->wanted;
    if (is_last) length += ending(text + length, who->wanted);
    if (is_last) {
        who->wanted = 0;
        set_timer(--running > 0);
    }
    put(who, text, length);
    free(text);
}

static void begin_stream(client *who, long count) {
    who->sent = 0, who->wanted = count < 1 ? 1 : count;
    who->due = now_ns() + pace;
    running++;
    set_timer(1);
    send_tokens(who, pace ? 1 : who->wanted, 1);
    if (who->fd >= 0 && who->wanted) wait_in_wheel(who);
}

static void turn_wheel(void) {
    int64_t now = now_ns(), until = now / TURN_NS;
    while (turned < until) {
        turned++;
        client *who = wheel[turned % SLOTS];
        while (who) {
            client *next = who->next;
            if (who->due / TURN_NS <= turned) {  /* else it is due when the wheel has come round again */
                leave_wheel(who);
                who->due += pace;
                send_tokens(who, 1, 0);
                if (who->fd >= 0 && who->wanted) wait_in_wheel(who);
            }
            who = next;
        }
    }
}

static void answer(client *who, const char *body) {
    char text[1024];
    int length = sprintf(text, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
                         strlen(body), body);
    put(who, text, (size_t)length);
}

static const char *after(const char *text, const char *name) {
    const char *found = strstr(text, name);
    if (!found) return NULL;
    found += strlen(name);
    return found + strspn(found, " ");
}

static long wanted_tokens(const char *body) {
    if (strstr(body, "Name the conversation below")) return 5;
    const char *number = after(body, "\"max_tokens\":");
    if (!number) number = after(body, "\"max_completion_tokens\":");
    long asked = number ? atol(number) : 0;
    return asked > 0 && asked < tokens ? asked : tokens;
}

static void set_pace(const char *head) {
    long long pace_us;
    long count;
    if (sscanf(head, "GET /pace/%lld/%ld ", &pace_us, &count) == 2) pace = pace_us * 1000, tokens = count;
}

/* Answer the request that is there; return its length, 0 while it is not whole, -1 where it never will be. */
static ssize_t take_request(client *who) {
    who->in[who->in_used] = 0;
    char *end = strstr(who->in, "\r\n\r\n");
    if (!end) return 0;
    size_t head = (size_t)(end - who->in) + 4, length = 0;
    *end = 0;
    char *field = strcasestr(who->in, "\r\ncontent-length:");
    if (field) length = strtoul(field + 17, NULL, 10);
    *end = '\r';
    if (length > LARGEST_REQUEST) return -1;
    if (who->in_used < head + length) return 0;
    char *body = who->in + head, kept = body[length];
    body[length] = 0;
    const char *stream = after(body, "\"stream\":");
    if (!strncmp(who->in, "GET", 3)) {
        set_pace(who->in);
        answer(who, models);
    } else if (stream && !strncmp(stream, "true", 4)) begin_stream(who, wanted_tokens(body));
    else answer(who, whole);
    body[length] = kept;
    return (ssize_t)(head + length);
}

static void read_from(client *who) {
    if (who->in_size - who->in_used < 16384) {
        who->in_size = who->in_size * 2 + 32768;
        who->in = realloc(who->in, who->in_size + 1);
    }
    ssize_t got = recv(who->fd, who->in + who->in_used, who->in_size - who->in_used, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) { drop(who); return; }
    who->in_used += (size_t)got;
    ssize_t used = take_request(who);
    if (used < 0) { drop(who); return; }
    if (who->fd < 0 || !used) return;
    who->in_used -= (size_t)used;
    memmove(who->in, who->in + used, who->in_used);
}

static void accept_all(int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        client *who = calloc(1, sizeof *who);
        who->fd = fd;
        struct epoll_event event = {EPOLLIN, {.ptr = who}};
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) {
        perror("mock_upstream");
        exit(1);
    }
    return fd;
}

static void build_frames(void) {
    role_length = as_chunk(role, FRAME("\"role\":\"assistant\",\"content\":\"\"", "null"));
    for (int word = 0; word < WORDS; word++) {
        char text[480];
        sprintf(text, FRAME("\"content\":\"%s\"", "null"), words[word]);
        frame_lengths[word] = as_chunk(frames[word], text);
    }
}

int main(int count, char **given) {
    int port = 9100;
    for (int at = 1; at + 1 < count; at += 2) {
        if (!strcmp(given[at], "--port")) port = atoi(given[at + 1]);
        else if (!strcmp(given[at], "--tokens")) tokens = atol(given[at + 1]);
        else if (!strcmp(given[at], "--pace-us")) pace = atoll(given[at + 1]) * 1000;
        else return fprintf(stderr, "mock_upstream: unknown option %s\n", given[at]), 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    build_frames();
    poll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int listener = listen_on(port);
    struct epoll_event event = {EPOLLIN, {.ptr = &listener}}, events[256];
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &timer_fd;
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &event);
    printf("mock upstream on 127.0.0.1:%d\n", port);
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poll_fd, events, 256, -1);
        for (int at = 0; at < ready; at++) {
            uint64_t expired;
            if (events[at].data.ptr == &listener) accept_all(listener);
            else if (events[at].data.ptr == &timer_fd) {
                if (read(timer_fd, &expired, sizeof expired) > 0) turn_wheel();
            } else {
                client *who = events[at].data.ptr;
                if (who->fd >= 0 && events[at].events & EPOLLOUT) flush(who);
                if (who->fd >= 0 && events[at].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_from(who);
            }
        }
        while (ended) {
            client *next = ended->next;
            free(ended->in), free(ended->out), free(ended);
            ended = next;
        }
    }
}
