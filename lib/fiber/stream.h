/* SPDX-License-Identifier: ISC */
/*
 * stream - buffered bytes both ways over a descriptor, through a transport that can be exchanged in
 * the middle (plain, then TLS). For fibers: every call that may wait takes a deadline for the whole
 * of that call (so a line's deadline is a line's, however slowly it drips).
 *
 * Output is kept until the buffer is full, stream_flush, or a read that has to ask the peer for more:
 * replies to pipelined commands leave together, and nobody waits for an answer not sent. Buffers are
 * allocated when needed and given back when empty at the moment of waiting: an idle stream holds
 * nothing.
 *
 * One fiber reads and writes (a second may write only while the first is known to be reading
 * with nothing in the output).
 */
#ifndef FIBER_STREAM_H
#define FIBER_STREAM_H

#include "fiber/fiber.h"

enum stream_status {
	STREAM_OK = 0,
	STREAM_EOF,       /* the peer has ended its side */
	STREAM_TIMEOUT,   /* deadline passed; what has come so far stays readable */
	STREAM_CANCELLED, /* fiber_cancel */
	STREAM_ERROR,     /* s->error is the errno value: ECONNRESET, EPIPE, EPROTO (TLS) ... */
	STREAM_TOO_LONG   /* stream_read_line only */
};

/* stream_status_text - "timeout", "end of file" ...: for messages. */
const char *stream_status_text(enum stream_status status);

/*
 * What moves the bytes. Results as of fiber_recv and fiber_send: -1 with errno, among them
 * ETIMEDOUT, ECANCELED; read 0 is the end. With a deadline of 0, read must not wait but fail with
 * ETIMEDOUT.
 */
struct stream_transport {
	const char *name;
	ssize_t (*read)(void *state, struct fiber_fd *fd, void *buf, size_t n, int64_t deadline,
			const char *why);
	ssize_t (*write)(void *state, struct fiber_fd *fd, const void *buf, size_t n,
			 int64_t deadline, const char *why);
	/* wait - until a read that failed with ETIMEDOUT is worth another try. NULL: readability. */
	int (*wait)(void *state, struct fiber_fd *fd, int64_t deadline, const char *why);
	/* sendfile - NULL: the stream copies through its buffer. */
	ssize_t (*sendfile)(void *state, struct fiber_fd *fd, int file, off_t *offset, size_t n,
			    int64_t deadline, const char *why);
	/* close - end the transport's own dialogue politely if it can be done by the deadline, free state. */
	void (*close)(void *state, struct fiber_fd *fd, int64_t deadline);
};

struct stream {
	struct fiber_fd fd;
	const struct stream_transport *transport; /* NULL: plain */
	void *transport_state;
	char *in;
	size_t in_at; /* the first byte not consumed */
	size_t in_len;
	size_t in_size;
	char *out;
	size_t out_len;
	size_t chunk;       /* size of the next input buffer: grows with bulk, shrinks with idleness */
	int error;          /* of the last STREAM_ERROR */
	const char *why_read;  /* what listings show; "read from peer", "write to peer" at first */
	const char *why_write;
	uint64_t bytes_in;  /* what readers were given, after decryption */
	uint64_t bytes_out; /* what writers gave */
};

/* stream_init - takes fd over (non-blocking). No memory is allocated. */
void stream_init(struct stream *s, int fd);
/* stream_set_why - constant texts; NULL keeps the present one. */
void stream_set_why(struct stream *s, const char *why_read, const char *why_write);
/*
 * stream_close - flush by the deadline (0: drop what is not sent), close transport and descriptor,
 * free the buffers. The result is that of the flush. Again: no effect.
 */
enum stream_status stream_close(struct stream *s, int64_t deadline);
/* stream_set_transport - from now on; both buffers must be empty (flush, discard or check before). */
void stream_set_transport(struct stream *s, const struct stream_transport *transport, void *state);

/* ---- reading */

/*
 * stream_peek - wait for at least one byte and show all that is buffered, in place, valid until the
 * next call on the stream that reads; stream_consume takes n of them.
 */
enum stream_status stream_peek(struct stream *s, int64_t deadline, struct slice *bytes);
void stream_consume(struct stream *s, size_t n);
/* stream_read_some - 1 to n bytes. stream_read_full - n bytes; *got is what came, whatever happens. */
enum stream_status stream_read_some(struct stream *s, void *buf, size_t n, int64_t deadline,
				    size_t *got);
enum stream_status stream_read_full(struct stream *s, void *buf, size_t n, int64_t deadline,
				    size_t *got);

enum stream_line_end {
	LINE_CRLF,
	LINE_LF, /* without CR before it: never the end of an SMTP content line */
	LINE_OPEN /* no end: STREAM_TOO_LONG, or STREAM_EOF */
};

/*
 * stream_read_line - up to LF; *line is without its end, in place, valid until the next read, and
 * consumed. It may hold NUL and bare CR. More than `limit` bytes without an end (the end does not
 * count): STREAM_TOO_LONG with the first `limit` bytes, the rest is the next call's. At the end of
 * input: STREAM_EOF with what was left, often nothing. On other failures the line is empty and
 * what has come stays.
 */
enum stream_status stream_read_line(struct stream *s, size_t limit, int64_t deadline,
				    struct slice *line, enum stream_line_end *end);
/* stream_skip_line - drop bytes up to and with the next LF; after STREAM_TOO_LONG. */
enum stream_status stream_skip_line(struct stream *s, int64_t deadline);

/*
 * stream_pending_input - has the peer sent more than was read? Asks the socket too, without waiting:
 * for finding clients that talk before it is their turn. True at end of input only if bytes remain.
 */
bool stream_pending_input(struct stream *s);
/* stream_buffered - bytes read from the transport and not consumed. */
size_t stream_buffered(const struct stream *s);
/*
 * stream_discard_input - forget what was read ahead; the number of bytes. Between the STARTTLS
 * command and the handshake nothing that came in the clear may survive.
 */
size_t stream_discard_input(struct stream *s);

/* ---- writing */

enum stream_status stream_write(struct stream *s, struct slice bytes, int64_t deadline);
enum stream_status stream_writev(struct stream *s, const struct slice *parts, size_t count,
				 int64_t deadline);
/* stream_printf - at most 4096 bytes formatted; more is STREAM_ERROR with EMSGSIZE and writes nothing. */
enum stream_status stream_printf(struct stream *s, int64_t deadline, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum stream_status stream_flush(struct stream *s, int64_t deadline);
/* stream_sendfile - n bytes of `file` from offset; the output before it goes first. A file that ends
 * early is STREAM_ERROR with EIO. */
enum stream_status stream_sendfile(struct stream *s, int file, off_t offset, size_t n,
				   int64_t deadline);

#endif
