/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipe: a body on its way, as fast as the reader takes it or as slowly as a fault wants it.  When
 * it runs dry its connection sleeps until somebody wakes it.
 */
#ifndef FAKE_APISERVER_PIPE_H
#define FAKE_APISERVER_PIPE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/sbuf.h"

struct server;

/* What comes after the last byte. */
enum pipe_end {
	PIPE_OPEN,  /* perhaps more */
	PIPE_END,   /* a proper end of the body */
	PIPE_BREAK, /* the connection closes in the middle of it */
	PIPE_HANG,  /* nothing, and no end */
};

struct pipe {
	struct server *server;
	struct MHD_Connection *connection;
	struct sbuf out;
	size_t sent;
	enum pipe_end end;
	bool suspended;
	bool burst;         /* out has several frames: the first chunk cuts one of them */
	size_t piece_bytes; /* 0: no limit */
	uint64_t piece_ns;  /* between two pieces */
	uint64_t next_piece_ns;
	void (*fill)(struct pipe *pipe); /* out is empty: put something there.  NULL: none */
	void (*free)(struct pipe *pipe); /* the connection is done with it */
	struct pipe *next, *previous;
};

/* All under the server's lock. */
void pipe_link(struct pipe *pipe, struct server *server, struct MHD_Connection *connection);
void pipe_unlink(struct pipe *pipe);
void pipe_wake(struct pipe *pipe);
/* Wake those that are due, and those whose peer has gone. */
void pipes_tick(struct server *server, uint64_t now_ns);
void pipes_wake(struct server *server);

/* A response that reads from the pipe, which it owns from now on; size may be MHD_SIZE_UNKNOWN. */
struct MHD_Response *pipe_response(struct pipe *pipe, uint64_t size);
/* A pipe with this text, taken. */
struct pipe *pipe_of_text(struct sbuf *text);

#endif
