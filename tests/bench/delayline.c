/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A slow link for the benchmark over HTTP, where the kernel has no netem.
 *
 *     delayline NETNS NETNS DELAY_US BITS_PER_SECOND QUEUE_BYTES
 *
 * Makes a TUN device "link0" in each of the two network namespaces (files below /run/netns) and
 * carries packets from one to the other. As on a cable, each direction has a sender of
 * BITS_PER_SECOND (0: infinitely fast) with a queue of QUEUE_BYTES before it, from which what does
 * not fit is dropped, and then DELAY_US of way. Prints "ready" once both devices are there, which
 * the caller then gives addresses; ends with a signal. Segmentation is left to the devices, so that
 * one call moves up to 64 KiB; the headers that the further segments would have are not counted.
 *
 * One thread, and one ring of packets for each direction: they leave in the order they came in, so
 * that only the first one's time matters.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    OFFLOAD_HEADER = sizeof(struct virtio_net_hdr),
    PACKET_MAX = OFFLOAD_HEADER + 65536,
    RING = 4096, /* packets on the way in one direction; a power of two */
};

struct packet {
    uint64_t arrives_ns;
    size_t len;
    char *bytes; /* owned */
};

struct direction {
    int from, to;
    struct packet ring[RING];
    unsigned head, tail; /* the next to leave, the next free place; counted on without end */
    uint64_t sent_ns;    /* when the sender will have sent all that is queued */
};

struct link {
    struct direction way[2];
    uint64_t delay_ns, bits_per_second, queue_bytes;
};

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "delayline: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int enter_and_open(const char *name)
{
    char path[256];
    struct ifreq device = { .ifr_name = "link0" };
    int header = OFFLOAD_HEADER;

    (void)snprintf(path, sizeof path, "/run/netns/%s", name);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET) != 0)
        fail(path);
    close(ns);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        fail("/dev/net/tun");
    device.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    if (ioctl(fd, TUNSETIFF, &device) != 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) != 0 ||
        ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) != 0)
        fail("cannot set up the device");
    return fd;
}

/* Sets when the packet arrives; false when the queue is full. */
static int enqueue(const struct link *l, struct direction *d, struct packet *p)
{
    uint64_t now = now_ns(), start = d->sent_ns > now ? d->sent_ns : now;
    uint64_t bytes = p->len - OFFLOAD_HEADER;

    if (l->bits_per_second) {
        /* In floating point: the product of the wait and the rate may have more than 64 bits. */
        double queued = (double)(start - now) * (double)l->bits_per_second / 8e9;
        if (queued + (double)bytes > (double)l->queue_bytes && queued > 0)
            return 0;
        start += bytes * 8u * 1000000000u / l->bits_per_second;
    }
    d->sent_ns = start;
    p->arrives_ns = start + l->delay_ns;
    return 1;
}

static void receive(const struct link *l, struct direction *d)
{
    static char bytes[PACKET_MAX];

    while (d->tail - d->head < RING) {
        struct packet *p = &d->ring[d->tail % RING];
        ssize_t got = read(d->from, bytes, sizeof bytes);
        if (got < OFFLOAD_HEADER)
            return;
        p->len = (size_t)got;
        if (!enqueue(l, d, p))
            continue; /* dropped */
        p->bytes = malloc(p->len);
        if (!p->bytes)
            fail("packet");
        memcpy(p->bytes, bytes, p->len);
        d->tail++;
    }
}

static void deliver(struct direction *d)
{
    uint64_t now = now_ns();

    while (d->head != d->tail && d->ring[d->head % RING].arrives_ns <= now) {
        const struct packet *p = &d->ring[d->head % RING];
        /* With a device that is down, or a packet the kernel does not want: lost, as on a cable. */
        if (write(d->to, p->bytes, p->len) < 0 && errno == EAGAIN)
            return;
        free(p->bytes);
        d->head++;
    }
}

/* Nanoseconds until the first packet arrives; negative when nothing is on the way. */
static int64_t next_arrival(const struct link *l)
{
    uint64_t now = now_ns();
    int64_t best = -1;

    for (int i = 0; i < 2; i++) {
        const struct direction *d = &l->way[i];
        if (d->head == d->tail)
            continue;
        uint64_t at = d->ring[d->head % RING].arrives_ns;
        int64_t left = at > now ? (int64_t)(at - now) : 0;
        if (best < 0 || left < best)
            best = left;
    }
    return best;
}

static void carry(struct link *l)
{
    for (;;) {
        struct pollfd fds[2];
        int64_t left = next_arrival(l);
        struct timespec wait = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };

        for (int i = 0; i < 2; i++) {
            const struct direction *d = &l->way[i];
            /* With no room left, packets stay in the device's own queue. */
            fds[i] = (struct pollfd){ .fd = d->from,
                                      .events = d->tail - d->head < RING ? POLLIN : 0 };
        }
        if (ppoll(fds, 2, left < 0 ? NULL : &wait, NULL) < 0 && errno != EINTR)
            fail("poll");
        for (int i = 0; i < 2; i++) {
            receive(l, &l->way[i]);
            deliver(&l->way[i]);
        }
    }
}

int main(int argc, char **argv)
{
    static struct link l;

    if (argc != 6) {
        fputs("usage: delayline NETNS NETNS DELAY_US BITS_PER_SECOND QUEUE_BYTES\n", stderr);
        return 2;
    }
    int a = enter_and_open(argv[1]), b = enter_and_open(argv[2]);
    l.way[0].from = l.way[1].to = a;
    l.way[0].to = l.way[1].from = b;
    l.delay_ns = strtoull(argv[3], NULL, 10) * 1000u;
    l.bits_per_second = strtoull(argv[4], NULL, 10);
    l.queue_bytes = strtoull(argv[5], NULL, 10);
    puts("ready");
    (void)fflush(stdout);
    carry(&l);
}
