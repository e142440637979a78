/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/watch_frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/tree.h"

static void put(struct watch *watch, const char *frame, size_t len)
{
	sbuf_append(&watch->pipe.out, frame, len);
	watch->n_frames++;
}

void watch_frame_flush(struct watch *watch)
{
	_free_ char *held = TAKE_PTR(watch->held);

	if (held)
		put(watch, held, strlen(held));
}

/* Faults that need no frame of their own, once enough events have passed. */
static void strike(struct watch *watch)
{
	struct store *store = &watch->pipe.server->store;

	if (!watch->has_fault || watch->n_events < watch->fault.after_events ||
	    watch->pipe.end != PIPE_OPEN)
		return;
	switch (watch->fault.what) {
	case FAULT_CLOSE:
		watch->pipe.end = PIPE_BREAK;
		break;
	case FAULT_HANG:
		watch->pipe.end = PIPE_HANG;
		break;
	case FAULT_EXPIRE:
		watch_frame_expired(watch, watch->start_rv, store->rv);
		break;
	case FAULT_SLOW:
		watch->pipe.piece_bytes = watch->fault.bytes;
		watch->pipe.piece_ns = watch->fault.delay_ns;
		break;
	default:
		break;
	}
}

/* Bytes in the middle that no JSON has, of the same length. */
static void garble(struct watch *watch, char *frame, size_t len)
{
	static const char noise[] = "\xff\xfe}]\"{\x01\\";

	if (len > 2 * sizeof(noise))
		memcpy(frame + len / 2, noise, sizeof(noise) - 1);
	put(watch, frame, len);
	watch->has_fault = false;
}

static void put_faulty(struct watch *watch, char *frame, size_t len)
{
	switch (watch->fault.what) {
	case FAULT_GARBLE:
		garble(watch, frame, len);
		break;
	case FAULT_TRUNCATE:
		put(watch, frame, len / 2);
		watch->pipe.end = PIPE_END;
		break;
	case FAULT_DUPLICATE:
		put(watch, frame, len);
		put(watch, frame, len);
		break;
	case FAULT_REORDER:
		if (!watch->held) {
			watch->held = tree_copy(frame);
			break;
		}
		put(watch, frame, len);
		watch_frame_flush(watch);
		break;
	default:
		put(watch, frame, len);
	}
}

void watch_frame_event(struct watch *watch, const char *type, const char *object)
{
	_sbuf_ struct sbuf frame = SBUF_INIT(ANSWER_MAX_BYTES);

	if (watch->pipe.end != PIPE_OPEN)
		return;
	sbuf_printf(&frame, "{\"type\":\"%s\",\"object\":", type);
	sbuf_puts(&frame, object);
	sbuf_puts(&frame, "}\n");
	if (frame.error) {
		watch->pipe.end = PIPE_BREAK; /* no memory: as if the server had died */
		return;
	}
	if (watch->has_fault && watch->n_events >= watch->fault.after_events) {
		put_faulty(watch, frame.text, frame.len);
	} else {
		watch_frame_flush(watch);
		put(watch, frame.text, frame.len);
	}
	watch->n_events++;
	strike(watch);
}

void watch_frame_bookmark(struct watch *watch, uint64_t rv)
{
	const struct resource *resource = watch->resource;
	_sbuf_ struct sbuf frame = SBUF_INIT(4096);
	char api_version[RESOURCE_API_VERSION_MAX];

	if (watch->has_fault && watch->fault.what == FAULT_DROP_BOOKMARKS)
		return;
	watch_frame_flush(watch); /* a bookmark tells that all before it has been said */
	resource_api_version(resource, api_version);
	sbuf_puts(&frame, "{\"type\":\"BOOKMARK\",\"object\":{");
	if (resource->custom)
		sbuf_printf(&frame,
			    "\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":"
			    "{\"resourceVersion\":\"%" PRIu64 "\"}",
			    api_version, resource->kind, rv);
	else
		sbuf_printf(&frame,
			    "\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":"
			    "{\"resourceVersion\":\"%" PRIu64 "\",\"creationTimestamp\":null}",
			    resource->kind, api_version, rv);
	if (strcmp(resource->kind, "Pod") == 0)
		sbuf_puts(&frame, ",\"spec\":{\"containers\":null},\"status\":{}");
	sbuf_puts(&frame, "}}\n");
	put(watch, frame.text, frame.len);
}

void watch_frame_expired(struct watch *watch, uint64_t rv, uint64_t floor_rv)
{
	_sbuf_ struct sbuf frame = SBUF_INIT(4096);

	sbuf_printf(&frame,
		    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\","
		    "\"metadata\":{},\"status\":\"Failure\",\"message\":\"too old resource "
		    "version: %" PRIu64 " (%" PRIu64 ")\",\"reason\":\"Expired\",\"code\":410}}\n",
		    rv, floor_rv);
	put(watch, frame.text, frame.len);
	watch->pipe.end = PIPE_END;
}

void watch_frame_attach(struct watch *watch, const struct fault *fault)
{
	watch->has_fault = true;
	watch->fault = *fault;
	watch->fault.after_events += watch->n_events;
	strike(watch);
}
