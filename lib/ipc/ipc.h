/* SPDX-License-Identifier: ISC */
/*
 * ipc - how the suite's processes speak to each other: frames over UNIX stream sockets.
 *
 * A frame is 8 bytes of header (payload length u32, message type u16, flags u16, little-endian) and the
 * payload: the declared fields in order, packed, little-endian; texts and byte strings with their
 * length (u32) in front, lists with their count (u32). Flag 1: a descriptor rides beside it.
 *
 * The messages are declared in schema/ipc/NAME.ipc; "ipc/NAME.h" is generated and brings for each
 * message a struct and typed functions around ipc_send, ipc_decode, ipc_call and ipc_client_ask. Use those.
 *
 * The same connection type serves fibers and, made by ipc_connect_blocking, commands that have none.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include "base/arena.h"
#include "base/buffer.h"
#include "fiber/fiber.h"

/* No payload is longer. */
#define IPC_FRAME_MAX ((size_t)4 << 20)
#define IPC_HEADER_SIZE 8
#define IPC_FLAG_FD 1u

/* ---- declared messages: what the generated tables say */

enum ipc_type {
	IPC_BOOL,
	IPC_U8,
	IPC_U16,
	IPC_U32,
	IPC_U64,
	IPC_I64,
	IPC_STR,   /* struct slice without control characters */
	IPC_TEXT,  /* the same; encoding cuts and cleans it */
	IPC_BYTES, /* struct slice */
	IPC_ENUM,
	IPC_FLAGS, /* uint32_t */
	IPC_RECORD,
	IPC_LIST
};

struct ipc_record;

struct ipc_field {
	const char *name;
	enum ipc_type type;
	uint32_t max; /* of texts: bytes; lists: records; enums: last value; flags: all bits */
	size_t offset;
	size_t count_offset; /* lists: of the size_t beside the pointer */
	const struct ipc_record *record;
};

struct ipc_record {
	const char *name;
	size_t size; /* of the struct */
	const struct ipc_field *fields;
	size_t field_count;
};

#define IPC_NO_FD SIZE_MAX

struct ipc_message {
	struct ipc_record record;
	uint16_t type;
	size_t fd_offset; /* of the int member; IPC_NO_FD: no descriptor goes with it */
};

/* ---- the codec: pure */

struct ipc_frame {
	uint16_t type;
	struct slice payload; /* valid until the next receive on that connection */
	int fd;		      /* -1: none. The receiver's; ipc_decode sees to it */
};

/* ipc_frame_drop - close the descriptor of a frame that will not be decoded. */
void ipc_frame_drop(struct ipc_frame *frame);

/*
 * ipc_encode - append the whole frame, header included; the descriptor is not part of it. False, and
 * nothing appended, when a field passes its bound, a `str` holds a control character, or the buffer
 * or IPC_FRAME_MAX is full.
 */
bool ipc_encode(const struct ipc_message *message, const void *m, struct buffer *out);

/*
 * ipc_decode - false when the frame is of another type (then it is untouched), or is not exactly what
 * was declared. With an arena, everything m points to lives there. With NULL, texts point into the
 * payload and are gone at the next receive; not for messages with lists. Empty texts become
 * the absent slice. The descriptor moves to m (a missing one is refused), or is closed when the
 * message declares none or decoding fails.
 */
bool ipc_decode(const struct ipc_message *message, struct ipc_frame *frame, struct arena *arena,
		void *m);

/* ---- connections */

enum ipc_status {
	IPC_OK = 0,
	IPC_END,       /* the peer has closed, between two frames */
	IPC_TIMEOUT,   /* deadline */
	IPC_CANCELLED, /* fiber_cancel */
	IPC_LOST,      /* no connection, or it broke: errno says how */
	IPC_GARBAGE,   /* what came is not what was declared */
	IPC_REFUSED    /* what should be sent passes a declared bound: nothing was sent */
};

const char *ipc_status_text(enum ipc_status status);

struct ipc_conn;

/* ipc_conn_create - take over a connected socket; for fibers. Never NULL. */
struct ipc_conn *ipc_conn_create(int fd);
/* ipc_conn_close - sets *conn to NULL; NULL is allowed. */
void ipc_conn_close(struct ipc_conn **conn);
/* ipc_connect - to a UNIX socket. On failure *conn is NULL. */
enum ipc_status ipc_connect(const char *path, int64_t deadline, struct ipc_conn **conn);
/* ipc_connect_blocking - for programs without fibers. */
enum ipc_status ipc_connect_blocking(const char *path, int64_t deadline, struct ipc_conn **conn);
/* ipc_conn_create_blocking - take over a connected socket, for programs without fibers. NULL and errno: closed. */
struct ipc_conn *ipc_conn_create_blocking(int fd);
/* ipc_conn_clean - nothing has gone wrong on it, and nothing waits in it to be sent or received. */
bool ipc_conn_clean(const struct ipc_conn *conn);
/* ipc_conn_usable - clean, and the peer has neither closed nor spoken: a system call. */
bool ipc_conn_usable(struct ipc_conn *conn);
/*
 * ipc_conn_quiet - the same, as far as the poller has told (no system call, mostly): for who can go on when
 * the connection turns out to have ended a moment ago.
 */
bool ipc_conn_quiet(struct ipc_conn *conn);
/* ipc_conn_peer - who is at the other end. 0, or -1 and errno. */
int ipc_conn_peer(struct ipc_conn *conn, pid_t *pid, uid_t *uid);
/* ipc_conn_set_why - what listings show while it waits; constant text. */
void ipc_conn_set_why(struct ipc_conn *conn, const char *why);

/*
 * ipc_send - one frame, with the descriptor that m names, which stays the caller's. m may be NULL
 * for a message without fields. After a failure other than IPC_REFUSED the connection is of no use.
 */
enum ipc_status ipc_send(struct ipc_conn *conn, const struct ipc_message *message, const void *m,
			 int64_t deadline);
/*
 * ipc_add - gather one frame without a descriptor: it goes out together with the next ipc_send, or when
 * ipc_receive has no whole frame left and turns to the peer. Only memory is touched. IPC_REFUSED as
 * above, and when IPC_FRAME_MAX bytes are gathered.
 */
enum ipc_status ipc_add(struct ipc_conn *conn, const struct ipc_message *message, const void *m);
/* ipc_send_encoded - whole frames as ipc_encode made them, in one piece, behind what was gathered. */
enum ipc_status ipc_send_encoded(struct ipc_conn *conn, struct slice frames, int64_t deadline);
/*
 * ipc_receive - the next frame. Its payload is gone at the next receive; its descriptor is the
 * caller's. After a failure other than IPC_TIMEOUT the connection is of no use; after a timeout the
 * frame can still be received.
 */
enum ipc_status ipc_receive(struct ipc_conn *conn, struct ipc_frame *frame, int64_t deadline);
/* ipc_expect - receive and decode the one message that may come now. */
enum ipc_status ipc_expect(struct ipc_conn *conn, const struct ipc_message *message,
			   struct arena *arena, void *m, int64_t deadline);
/* ipc_call - ipc_send, then ipc_expect. */
enum ipc_status ipc_call(struct ipc_conn *conn, const struct ipc_message *request, const void *m,
			 const struct ipc_message *reply, struct arena *arena, void *r,
			 int64_t deadline);

/* ---- serving */

struct ipc_handler {
	const struct ipc_message *message;
	/*
	 * m: the decoded struct; it and the arena are good until the handler returns (a descriptor in
	 * it is the handler's to close). Anything but IPC_OK ends the connection.
	 */
	enum ipc_status (*handle)(struct ipc_conn *conn, const void *m, struct arena *arena, void *context);
};

/*
 * ipc_serve - receive and handle requests until the peer closes (IPC_END), the fiber is cancelled, no
 * request comes for `idle` microseconds (IPC_TIMEOUT), or something is wrong. The connection stays the
 * caller's to close.
 */
enum ipc_status ipc_serve(struct ipc_conn *conn, const struct ipc_handler *handlers, size_t count,
			  void *context, int64_t idle);

/* ---- calling, for fibers: a pool of connections to one service */

struct ipc_client;

/* ipc_client_create - `path` is copied; at most `idle_max` connections are kept when not in use. */
struct ipc_client *ipc_client_create(const char *path, size_t idle_max);
/* ipc_client_destroy - closes the idle ones; none may be lent out. Sets *client to NULL. */
void ipc_client_destroy(struct ipc_client **client);
/*
 * ipc_client_get - an idle connection of which no end is known (it may have ended just now: who gets
 * IPC_LOST before any reply tries again with ipc_client_new), or a new one. After a failure to connect,
 * further attempts fail at once with IPC_LOST for a while (100 ms, doubling to 5 s), so that nobody
 * queues up behind a service that is down.
 */
enum ipc_status ipc_client_get(struct ipc_client *client, int64_t deadline, struct ipc_conn **conn);
/* ipc_client_new - the same, but never an idle one: they may all be as stale as the last. */
enum ipc_status ipc_client_new(struct ipc_client *client, int64_t deadline, struct ipc_conn **conn);
/*
 * ipc_client_ready - can a connection be had? One that is idle is proof enough, and costs nothing; else
 * one is made, and kept for the next ipc_client_get.
 */
enum ipc_status ipc_client_ready(struct ipc_client *client, int64_t deadline);
/* ipc_client_put - give it back: kept when `clean` (no reply is outstanding), else closed. */
void ipc_client_put(struct ipc_client *client, struct ipc_conn **conn, bool clean);
/*
 * ipc_client_ask - ipc_call over a pooled connection; if an idle one turns out to be stale
 * before any reply, once more over a new one. keep: NULL, and the connection goes back; or it is
 * handed out for more (on IPC_OK; else *keep is NULL), and ipc_client_put later.
 */
enum ipc_status ipc_client_ask(struct ipc_client *client, const struct ipc_message *request,
			       const void *m, const struct ipc_message *reply, struct arena *arena,
			       void *r, int64_t deadline, struct ipc_conn **keep);

/* ---- calling with many requests in flight on one connection */

/*
 * A request and its reply both have, as their first field, `u32 id`. The connection is made when
 * needed, kept, and read by a fiber of its own; when it breaks, each request in flight is sent once
 * more over a new one (so requests must bear repeating), then it is IPC_LOST.
 */
struct ipc_mux;

struct ipc_mux *ipc_mux_create(const char *path);
/* ipc_mux_destroy - nobody may be waiting. Sets *mux to NULL. */
void ipc_mux_destroy(struct ipc_mux **mux);
/* ipc_mux_call - the id in m is set here. */
enum ipc_status ipc_mux_call(struct ipc_mux *mux, const struct ipc_message *request, void *m,
			     const struct ipc_message *reply, struct arena *arena, void *r,
			     int64_t deadline);

#endif
