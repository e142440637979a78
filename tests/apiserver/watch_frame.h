/* SPDX-License-Identifier: Apache-2.0 */
/* Watch_frame: what one event looks like on the wire, and what a fault makes of it. */
#ifndef FAKE_APISERVER_WATCH_FRAME_H
#define FAKE_APISERVER_WATCH_FRAME_H

#include "apiserver/watch.h"

void watch_frame_event(struct watch *watch, const char *type, const char *object);
void watch_frame_bookmark(struct watch *watch, uint64_t rv);
/* The ERROR frame of what is forgotten, and the end of the stream. */
void watch_frame_expired(struct watch *watch, uint64_t rv, uint64_t floor_rv);
/* An event that was held back has no other to wait for. */
void watch_frame_flush(struct watch *watch);
/* This fault is the watch's from now on; it strikes at once where it need not wait for an event. */
void watch_frame_attach(struct watch *watch, const struct fault *fault);

#endif
