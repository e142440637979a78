/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/journal.h"

#include <stdlib.h>
#include <time.h>

#include "apiserver/tree.h"

static void seen_clear(struct seen *seen)
{
	free(seen->method);
	free(seen->uri);
	free(seen->user_agent);
	free(seen->accept);
	*seen = (struct seen){ 0 };
}

void journal_clear(struct journal *journal)
{
	for (; journal->first < journal->next; journal->first++)
		seen_clear(&journal->ring[journal->first % JOURNAL_SIZE]);
}

uint64_t journal_add(struct journal *journal, const char *method, const char *uri,
		     const char *user_agent, const char *accept, bool authorization)
{
	struct seen *seen = &journal->ring[journal->next % JOURNAL_SIZE];
	struct timespec now;

	if (journal->next - journal->first == JOURNAL_SIZE) {
		seen_clear(seen);
		journal->first++;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	seen->method = tree_copy(method);
	seen->uri = tree_copy(uri);
	seen->user_agent = tree_copy(user_agent ? user_agent : "");
	seen->accept = tree_copy(accept ? accept : "");
	seen->authorization = authorization;
	seen->time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	return journal->next++;
}

void journal_status(struct journal *journal, uint64_t seq, unsigned int status)
{
	if (seq >= journal->first && seq < journal->next)
		journal->ring[seq % JOURNAL_SIZE].status = status;
}

cJSON *journal_tree(const struct journal *journal)
{
	cJSON *tree = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(tree, "requests");

	for (uint64_t seq = journal->first; seq < journal->next; seq++) {
		const struct seen *seen = &journal->ring[seq % JOURNAL_SIZE];
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "method", seen->method);
		cJSON_AddStringToObject(one, "uri", seen->uri);
		cJSON_AddStringToObject(one, "user_agent", seen->user_agent);
		cJSON_AddStringToObject(one, "accept", seen->accept);
		cJSON_AddBoolToObject(one, "authorization", seen->authorization);
		cJSON_AddNumberToObject(one, "time_ms", (double)seen->time_ms);
		cJSON_AddNumberToObject(one, "status", seen->status);
		cJSON_AddItemToArray(list, one);
	}
	return tree;
}
