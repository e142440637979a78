/* SPDX-License-Identifier: Apache-2.0 */
/* Control: what a test tells the server, below /fake/: out of reach of faults and tokens. */
#ifndef FAKE_APISERVER_CONTROL_H
#define FAKE_APISERVER_CONTROL_H

#include "apiserver/answer.h"
#include "apiserver/server.h"

/*
 *	POST   /fake/fault     {"on":"watch|list|get|write|any","do":…} (fault.h)
 *	DELETE /fake/fault     no faults any more; what hung is let go
 *	POST   /fake/expire    every RV so far is too old; {"close":true}: watches break off too
 *	GET    /fake/requests  what was asked; DELETE forgets it
 *	POST   /fake/storm     {"events_per_second":5000,"seconds":5,"node":"n","pods":250}
 *	POST   /fake/seed      {"items":[…]}: stored as given; uid and status are kept
 *	GET    /fake/state     RV, objects, open watches, storm
 */
void control_serve(struct request *request, struct answer *answer);

#endif
