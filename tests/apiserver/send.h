/* SPDX-License-Identifier: Apache-2.0 */
/* Send: an answer becomes a response: headers, shape of the body, and what a fault does to it. */
#ifndef FAKE_APISERVER_SEND_H
#define FAKE_APISERVER_SEND_H

#include "apiserver/answer.h"
#include "apiserver/server.h"

/* Without the server's lock.  Takes the body and the watch out of the answer. */
enum MHD_Result send_answer(struct request *request, struct answer *answer);

#endif
