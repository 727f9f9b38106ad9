/*
 * A light client for benchmarks: opens streams, checks every word of them, times the first and the gaps.
 *
 *     cc -O2 -o load_client load_client.c
 *     ./load_client --port 9100 --streams 1000 --tokens 200 --ramp-ms 2000
 *
 * So many clients at once, their beginnings spread over the ramp; each opens --repeat streams, one after another. Kinds:
 * `openai` streams from /v1/chat/completions, `page` from daehwa's /api/turns, `whole` asks /v1 for answers in one piece.
 * --headers gives further lines of the head, each ended by CR LF. With --reuse 1 a client keeps its connection for its
 * next request, as SDKs do, where the server lets it.
 *
 * The upstream's text is known (mock_upstream.c says the same ten words over and over), so each stream is compared with
 * it byte by byte: a stream counts as whole only where nothing was lost, doubled or changed, and its end came. With
 * --any-text 1, for real models, it counts as whole where some text and the end came. A gap is the time between two reads
 * that brought text, within one stream; with --all-open 1 only those count that end while every stream is open, so that
 * neither the many beginnings nor the end are in them. Prints one JSON object at the end, after --seconds or on SIGTERM; times in
 * milliseconds. `open` is how many streams had begun and not ended then.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TEXT "the quick brown fox **jumps** over `lazy` dogs, and rests.\n\n"
#define WHOLE_TEXT "\"A title\""  /* the mock upstream's whole answer */
#define LARGEST_LINE (1 << 20)
#define STEPS_OF_TWO 256  /* of the histogram: a step is under 0.4 % of its value */

static const char *words[] = {"the ",   "quick ",  "brown ", "fox ", "**jumps** ",
                              "over ", "`lazy` ", "dogs, ", "and ", "rests.\n\n"};

enum { CLOSED, HEAD, SIZE, DATA, CHUNK_END, TRAILER, PLAIN, ENDED };
enum { OPENAI, PAGE, WHOLE };

typedef struct {
    int fd, state, status, is_delta, is_wrong, has_end;
    long index, left;    /* its place among the clients; its requests to come */
    size_t expects;      /* bytes of the chunk, or of the body, that are still to come */
    char head[8192];
    size_t head_used;
    char *line;
    size_t line_used, line_size;
    size_t text;         /* characters of the answer so far */
    int64_t began, first, last;
} client;

static struct { long gaps, whole, failed, wrong, refused, tokens, reads, first_count, connections; size_t bytes; } sum;
static uint32_t *histogram;
static int64_t longest_gap, *firsts, *totals;
static const char *kind_name = "openai", *model = "mock", *key = "none", *path, *headers = "";
static int kind, poll_fd;
static long port = 9100, streams = 1, repeat = 1, wanted = 200, ramp_ms = 1000, pause_ms, seconds = 120, reuse, any_text, all_open;
static long open_now, unfinished, room;
static volatile sig_atomic_t is_told_to_end;
static size_t text_length;
static client *clients;
static int64_t *dues, next_due;  /* when each client begins its next request; 0 while one runs */

static int64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static int step_of(int64_t us) {
    int shift = 0;
    while (us >> shift >= 2 * STEPS_OF_TWO) shift++;
    return shift * STEPS_OF_TWO + (int)(us >> shift);
}

static double value_of(int step) {  /* the middle of the step */
    int shift = step < 2 * STEPS_OF_TWO ? 0 : step / STEPS_OF_TWO - 1;
    int64_t low = (int64_t)(step - shift * STEPS_OF_TWO) << shift;
    return ((double)low + (double)((1LL << shift) - 1) / 2) / 1000;
}

/* The place of a percentile among so many values in order: the first that so large a part of them does not exceed. */
static long rank_of(long count, double part) {
    return (long)((double)count * part - 1e-6);
}

static double gap_at(double part) {
    long rank = rank_of(sum.gaps, part), seen = 0;
    for (int step = 0; sum.gaps && step < 64 * STEPS_OF_TWO; step++)
        if ((seen += histogram[step]) > rank) return value_of(step);
    return 0;
}

static void new_id(char *into) {  /* UUIDv7 */
    unsigned char raw[10];
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    long long ms = at.tv_sec * 1000LL + at.tv_nsec / 1000000;
    if (getrandom(raw, sizeof raw, 0) != sizeof raw) exit(1);
    sprintf(into, "%08llx-%04llx-7%01x%02x-%c%01x%02x-%02x%02x%02x%02x%02x%02x", ms >> 16, ms & 0xffff, raw[0] & 15, raw[1],
            "89ab"[raw[2] & 3], raw[2] >> 4, raw[3], raw[4], raw[5], raw[6], raw[7], raw[8], raw[9]);
}

static size_t request(char *into) {
    char body[2048], ids[3][37];
    for (int at = 0; at < 3; at++) new_id(ids[at]);
    if (kind == PAGE)
        sprintf(body,
                "{\"conversation\":\"%s\",\"reply\":\"%s\",\"model\":\"%s\",\"message\":{\"id\":\"%s\",\"parent\":null,"
                "\"parts\":[{\"type\":\"text\",\"text\":\"Tell me.\"}]}}",
                ids[0], ids[1], model, ids[2]);
    else
        sprintf(body,
                "{\"model\":\"%s\",%s\"max_tokens\":%ld,\"messages\":[{\"role\":\"user\",\"content\":\"Tell me.\"}]}",
                model, kind == WHOLE ? "" : "\"stream\":true,", wanted);
    return (size_t)sprintf(into,
                           "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%ld\r\ncontent-type: application/json\r\naccept: %s\r\n"
                           "authorization: Bearer %s\r\n%scontent-length: %zu\r\n\r\n%s",
                           path, port, kind == WHOLE ? "application/json" : "text/event-stream", key, headers,
                           strlen(body), body);
}

static void send_request(client *who) {
    char text[4096];
    size_t length = request(text);
    who->state = HEAD, who->status = 0, who->head_used = who->line_used = who->text = 0;
    who->is_delta = who->is_wrong = who->has_end = 0, who->first = 0;
    who->began = now_ns();
    if (send(who->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length) who->is_wrong = 1;
}

static void connect_client(client *who) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    int64_t began = now_ns();
    who->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (who->fd < 0 || connect(who->fd, (struct sockaddr *)&address, sizeof address)) {
        perror("load_client");
        exit(1);
    }
    setsockopt(who->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {EPOLLIN, {.ptr = who}};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, who->fd, &event);
    sum.connections++;
    send_request(who);
    who->began = began;
}

static void close_client(client *who) {
    close(who->fd);
    who->fd = -1;
}

/* Return whether a whole answer says what the mock upstream says in one. */
static int says_it_whole(const client *who) {
    const char *end = who->line + who->line_used, *at = memmem(who->line, who->line_used, "\"content\":", 10);
    if (!at) return 0;
    for (at += 10; at < end && *at == ' '; at++) {}
    return (size_t)(end - at) >= sizeof WHOLE_TEXT - 1 && !memcmp(at, WHOLE_TEXT, sizeof WHOLE_TEXT - 1);
}

/* One request is over, well or badly; take the client's next one, now or after its pause. */
static void finish(client *who, int64_t now, int is_kept) {
    int has_text = kind == WHOLE ? says_it_whole(who) : any_text ? who->text > 0 : who->text == text_length;
    int is_whole = who->has_end && !who->is_wrong && who->status == 200 && has_text;
    if (is_whole) totals[sum.whole++] = now - who->began;
    else sum.failed++;
    if (who->status != 200) sum.refused++;
    else if (!is_whole) sum.wrong++;
    if (who->first) open_now--;
    who->state = CLOSED, who->first = 0;
    if (!is_kept) close_client(who);
    if (--who->left == 0) {
        if (is_kept) close_client(who);
        unfinished--;
        return;
    }
    dues[who->index] = now + pause_ms * 1000000LL;
    if (dues[who->index] < next_due) next_due = dues[who->index];
}

/* Compare some of the answer's text with what it must be; count the words that are through. */
static void take_text(client *who, const char *text, size_t length) {
    static const size_t round = sizeof TEXT - 1;
    if (any_text) { who->text += length, sum.tokens += length > 0; return; }
    for (size_t at = 0; at < length; at++) {
        size_t place = who->text % round;
        if (text[at] != TEXT[place] || who->text >= text_length) { who->is_wrong = 1; return; }
        who->text++;
        if (text[at] == ' ' || (text[at] == '\n' && place == round - 1)) sum.tokens++;
    }
}

/* Take the JSON string that begins here; return whether it held text. */
static int take_string(client *who, const char *at, const char *end) {
    char text[65536];
    size_t length = 0;
    for (; at < end && *at != '"' && length < sizeof text; at++) {
        if (*at != '\\') text[length++] = *at;
        else if (++at < end) text[length++] = *at == 'n' ? '\n' : *at;
    }
    take_text(who, text, length);
    return length > 0;
}

/* Take one line of the event stream; return whether it brought text. */
static int take_line(client *who, const char *line, size_t length) {
    const char *end = line + length;
    if (length > 7 && !memcmp(line, "event: ", 7)) {
        who->is_delta = length >= 12 && !memcmp(line + 7, "delta", 5);
        if (kind == PAGE && length >= 11 && !memcmp(line + 7, "done", 4)) who->has_end = 1;
        if (kind == PAGE && length >= 12 && !memcmp(line + 7, "error", 5)) who->is_wrong = who->has_end = 1;
        return 0;
    }
    if (length < 6 || memcmp(line, "data: ", 6)) return 0;
    const char *at = line + 6;
    if (kind == PAGE) return who->is_delta && at < end && *at == '"' ? take_string(who, at + 1, end) : 0;
    if (end - at >= 6 && !memcmp(at, "[DONE]", 6)) { who->has_end = 1; return 0; }
    at = memmem(at, (size_t)(end - at), "\"content\":", 10);
    if (!at) return 0;
    for (at += 10; at < end && *at == ' '; at++) {}
    return at < end && *at == '"' ? take_string(who, at + 1, end) : 0;
}

static void keep_line(client *who, const char *data, size_t length) {
    if (who->line_used + length > who->line_size) {
        who->line_size = (who->line_used + length) * 2;
        if (who->line_size > LARGEST_LINE) exit((fprintf(stderr, "load_client: a line has no end\n"), 1));
        who->line = realloc(who->line, who->line_size);
    }
    memcpy(who->line + who->line_used, data, length);
    who->line_used += length;
}

/* Take a piece of the body, cut as the network cut it; return whether it brought text. */
static int take_body(client *who, const char *data, size_t length) {
    int is_text = 0;
    if (kind == WHOLE) { keep_line(who, data, length); return 0; }
    while (length) {
        const char *end = memchr(data, '\n', length);
        size_t part = end ? (size_t)(end - data) + 1 : length;
        if (!end || who->line_used) keep_line(who, data, part);
        if (end && who->line_used) {
            is_text |= take_line(who, who->line, who->line_used - 1);
            who->line_used = 0;
        } else if (end) is_text |= take_line(who, data, part - 1);
        data += part, length -= part;
    }
    return is_text;
}

/* A line of the protocol is whole: the head, the length of a chunk, or what follows the last of them. */
static void take_protocol(client *who) {
    who->head[who->head_used] = 0;
    if (who->state == HEAD) {
        const char *field = strcasestr(who->head, "\r\ncontent-length:");
        who->status = atoi(who->head + 9);
        who->expects = field ? strtoul(field + 17, NULL, 10) : SIZE_MAX;
        who->state = strcasestr(who->head, "\r\ntransfer-encoding: chunked") ? SIZE : PLAIN;
    } else if (who->state == SIZE) {
        who->expects = strtoul(who->head, NULL, 16);
        who->state = who->expects ? DATA : TRAILER;
    } else if (who->head_used == 2) who->state = ENDED;
    who->head_used = 0;
}

/* Gather a line of the protocol; return how much of the data was used. */
static size_t gather(client *who, const char *data, size_t length) {
    const char *ending = who->state == HEAD ? "\r\n\r\n" : "\r\n";
    size_t used = 0, tail = strlen(ending);
    while (used < length) {
        if (who->head_used == sizeof who->head - 1) { who->is_wrong = 1, who->state = ENDED; return length; }
        who->head[who->head_used++] = data[used++];
        if (who->head_used >= tail && !memcmp(who->head + who->head_used - tail, ending, tail)) {
            take_protocol(who);
            return used;
        }
    }
    return used;
}

/* Take what one read brought; return whether text was in it. */
static int take(client *who, const char *data, size_t length) {
    int is_text = 0;
    while (length && who->state != ENDED) {
        size_t part = length < who->expects ? length : who->expects;
        if (who->state == DATA || who->state == PLAIN) {
            is_text |= take_body(who, data, part);
            who->expects -= part;
            if (!who->expects && who->state == DATA) who->state = CHUNK_END, who->expects = 2;
        } else if (who->state == CHUNK_END) {
            who->expects -= part;
            if (!who->expects) who->state = SIZE;
        } else part = gather(who, data, length);
        if (who->state == PLAIN && !who->expects) who->state = ENDED;
        data += part, length -= part;
    }
    return is_text;
}

static void note_gap(int64_t gap) {
    histogram[step_of(gap / 1000)]++, sum.gaps++;
    if (gap > longest_gap) longest_gap = gap;
}

static void note_text(client *who, int64_t now) {
    if (who->first) {
        if (!all_open || open_now == streams) note_gap(now - who->last);
    } else {
        who->first = now, open_now++;
        firsts[sum.first_count++] = now - who->began;
    }
    who->last = now;
}

static void read_from(client *who) {
    static char landing[256 * 1024];
    ssize_t got = recv(who->fd, landing, sizeof landing, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    int64_t now = now_ns();
    if (got <= 0) {
        if (who->state == PLAIN && who->expects > 1UL << 40 && !got) who->state = ENDED;
        if (kind == WHOLE && who->state == ENDED) who->has_end = 1;
        finish(who, now, 0);
        return;
    }
    sum.bytes += (size_t)got, sum.reads++;
    if (take(who, landing, (size_t)got)) note_text(who, now);
    if (who->state != ENDED) return;
    if (kind == WHOLE) who->has_end = 1;
    finish(who, now, reuse && !who->is_wrong);
}

/* Begin what is due; return when the next is. */
static int64_t begin_due(int64_t now) {
    int64_t next = INT64_MAX;
    for (long at = 0; at < streams; at++) {
        if (!dues[at]) continue;
        if (dues[at] <= now) {
            dues[at] = 0;
            if (clients[at].fd < 0) connect_client(&clients[at]);
            else send_request(&clients[at]);
        } else if (dues[at] < next) next = dues[at];
    }
    return next;
}

static int by_size(const void *one, const void *other) {
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return a < b ? -1 : a > b;
}

static void print_times(const char *name, int64_t *times, long count) {
    qsort(times, (size_t)count, sizeof *times, by_size);
    double at[4] = {0};
    static const double parts[] = {0.5, 0.9, 0.99, 1};
    for (int part = 0; part < 4 && count; part++) at[part] = (double)times[rank_of(count, parts[part])] / 1e6;
    printf("\"%s\": {\"count\": %ld, \"p50\": %.4f, \"p90\": %.4f, \"p99\": %.4f, \"max\": %.4f}, ", name, count, at[0],
           at[1], at[2], at[3]);
}

/* What has gone wrong in a stream that runs has failed already. */
static void fail_wrong_ones(void) {
    for (long at = 0; at < streams; at++)
        if (clients[at].fd >= 0 && clients[at].is_wrong) sum.failed++, sum.wrong++;
}

static void report(int64_t began) {
    struct rusage own;
    fail_wrong_ones();
    getrusage(RUSAGE_SELF, &own);
    double cpu = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
                 (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
    printf("{\"whole\": %ld, \"failed\": %ld, \"refused\": %ld, \"wrong\": %ld, \"unfinished\": %ld, \"open\": %ld, ",
           sum.whole, sum.failed, sum.refused, sum.wrong, unfinished, open_now);
    printf("\"tokens\": %ld, \"reads\": %ld, \"bytes\": %zu, \"connections\": %ld, ", sum.tokens, sum.reads, sum.bytes,
           sum.connections);
    print_times("first", firsts, sum.first_count);
    print_times("total", totals, sum.whole);
    printf("\"gap\": {\"count\": %ld, \"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f}, ",
           sum.gaps, gap_at(0.5), gap_at(0.9), gap_at(0.99), gap_at(0.999), (double)longest_gap / 1e6);
    printf("\"seconds\": %.4f, \"cpu_seconds\": %.3f}\n", (double)(now_ns() - began) / 1e9, cpu);
}

static void told_to_end(int signal) {
    (void)signal;
    is_told_to_end = 1;
}

static int take_options(int count, char **given) {
    struct { const char *name; long *number; const char **text; } options[] = {
        {"--streams", &streams, NULL}, {"--tokens", &wanted, NULL},    {"--ramp-ms", &ramp_ms, NULL},
        {"--repeat", &repeat, NULL},   {"--pause-ms", &pause_ms, NULL}, {"--seconds", &seconds, NULL},
        {"--port", &port, NULL},       {"--reuse", &reuse, NULL},       {"--any-text", &any_text, NULL},
        {"--all-open", &all_open, NULL}, {"--kind", NULL, &kind_name},
        {"--model", NULL, &model},     {"--key", NULL, &key},           {"--path", NULL, &path},
        {"--headers", NULL, &headers},
    };
    for (int at = 1; at + 1 < count; at += 2) {
        size_t known = sizeof options / sizeof *options, which = 0;
        while (which < known && strcmp(options[which].name, given[at])) which++;
        if (which == known) return fprintf(stderr, "load_client: unknown option %s\n", given[at]), 0;
        if (options[which].number) *options[which].number = atol(given[at + 1]);
        else *options[which].text = given[at + 1];
    }
    kind = !strcmp(kind_name, "page") ? PAGE : !strcmp(kind_name, "whole") ? WHOLE : OPENAI;
    if (!path) path = kind == PAGE ? "/api/turns" : "/v1/chat/completions";
    for (long token = 0; token < wanted; token++) text_length += strlen(words[token % 10]);
    return streams > 0;
}

static void prepare(int64_t began) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGTERM, told_to_end);
    room = repeat ? streams * repeat : 4000000;  /* without an end in sight, as many as any server here gets through */
    firsts = malloc((size_t)room * sizeof *firsts), totals = malloc((size_t)room * sizeof *totals);
    histogram = calloc(64 * STEPS_OF_TWO, sizeof *histogram);
    clients = calloc((size_t)streams, sizeof *clients), dues = calloc((size_t)streams, sizeof *dues);
    unfinished = streams;
    for (long at = 0; at < streams; at++) {
        clients[at].fd = -1, clients[at].index = at, clients[at].left = repeat ? repeat : room;
        dues[at] = began + ramp_ms * 1000000LL * at / streams;
    }
}

int main(int count, char **given) {
    if (!take_options(count, given)) return 2;
    int64_t began = now_ns(), end = began + seconds * 1000000000LL;
    prepare(began);
    poll_fd = epoll_create1(0);
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {EPOLLIN, {.ptr = NULL}}, events[256];
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &event);
    next_due = began;
    int64_t set_for = 0;
    while (unfinished && !is_told_to_end) {
        int64_t now = now_ns();
        if (now >= end || sum.whole + sum.failed >= room) break;
        if (now >= next_due) next_due = begin_due(now);
        int64_t until = next_due < end ? next_due : end;
        struct itimerspec at = {{0, 0}, {until / 1000000000LL, until % 1000000000LL}};
        if (until != set_for) timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
        set_for = until;
        int ready = epoll_wait(poll_fd, events, 256, -1);
        for (int each = 0; each < ready; each++) {
            if (events[each].data.ptr) read_from(events[each].data.ptr);
        }
    }
    report(began);
}
