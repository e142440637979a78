/* SPDX-License-Identifier: Apache-2.0 */
/* Reply: how an answer looks on the wire: headers, bodies, problems. */
#ifndef PODJOULE_REPLY_H
#define PODJOULE_REPLY_H

#include <microhttpd.h>

#include "expose/body.h"

/* All queue the answer on the connection and return what an MHD handler returns. */

/* Takes the caller's reference of body; the connection lets go of it when it has been sent. */
enum MHD_Result reply_body(struct MHD_Connection *connection, enum body_kind kind, bool gzip,
			   struct body *body);
/* One line of text/plain; the line end is added. */
enum MHD_Result reply_line(struct MHD_Connection *connection, unsigned int status,
			   const char *line);
/* application/problem+json; detail is ours, without quotes or backslashes. */
enum MHD_Result reply_problem(struct MHD_Connection *connection, unsigned int status,
			      const char *detail);

#endif
