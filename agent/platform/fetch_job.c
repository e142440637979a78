/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/fetch_job.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "platform/scope.h"

#define CONNECT_LIMIT_MS 10000L
#define BUFFER_BYTES     16384L
#define MAX_RETRY_S      86400

/* Rounded up: a limit below a millisecond is not "never". */
static long to_ms(uint64_t ns)
{
	uint64_t ms = ns / 1000000u + (ns % 1000000u != 0);

	return (long)MIN(ms, (uint64_t)INT_MAX);
}

static bool is_line(const char *text)
{
	return !text[strcspn(text, "\r\n")];
}

static int set_headers(struct fetch_job *job, const char *const *headers)
{
	/* Else curl waits a second for leave to send a large body. */
	static const char *const no_expect[] = { "Expect:", NULL };
	const char *const *lists[] = { no_expect, headers };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (const char *const *at = lists[i]; at && *at; at++) {
			struct curl_slist *more;

			if (!is_line(*at))
				return -EINVAL;
			more = curl_slist_append(job->headers, *at);
			if (!more)
				return -ENOMEM;
			job->headers = more;
		}
	}
	return 0;
}

/* The first option that fails is remembered, so that they read as a list. */
#define SET(option, value) (code = code ? code : curl_easy_setopt(job->easy, option, value))

static int set_request(struct fetch_job *job, const struct fetch *fetch)
{
	CURLcode code = CURLE_OK;

	SET(CURLOPT_URL, fetch->url);
	SET(CURLOPT_HTTPHEADER, job->headers);
	if (fetch->method && !strcmp(fetch->method, "HEAD"))
		SET(CURLOPT_NOBODY, 1L);
	else if (fetch->method || fetch->body)
		SET(CURLOPT_CUSTOMREQUEST, fetch->method ? fetch->method : "GET");
	if (fetch->body) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->body_len);
		SET(CURLOPT_COPYPOSTFIELDS, fetch->body);
	}
	if (fetch->ca_file) {
		SET(CURLOPT_CAINFO, fetch->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
	SET(CURLOPT_CONNECTTIMEOUT_MS,
	    fetch->connect_limit_ns ? to_ms(fetch->connect_limit_ns) : CONNECT_LIMIT_MS);
	SET(CURLOPT_TIMEOUT_MS, to_ms(fetch->limit_ns));
	return code ? -ENOMEM : 0;
}

/* What the environment or a peer may not change. */
static int set_manners(struct fetch_job *job, fetch_sink on_body, fetch_sink on_header)
{
	CURLcode code = CURLE_OK;

	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* a name that is being looked up holds nobody up */
	SET(CURLOPT_PRIVATE, job);
	SET(CURLOPT_ERRORBUFFER, job->text);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, job);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, job);
	return code ? -ENOMEM : 0;
}

int fetch_job_prepare(struct fetch_job *job, const struct fetch *fetch, fetch_sink on_body,
		      fetch_sink on_header)
{
	int r;

	if (!fetch->url ||
	    (strncasecmp(fetch->url, "http://", 7) && strncasecmp(fetch->url, "https://", 8)))
		return -EINVAL;
	job->easy = curl_easy_init();
	if (!job->easy)
		return -ENOMEM;
	r = set_headers(job, fetch->headers);
	if (r < 0)
		return r;
	r = set_manners(job, on_body, on_header);
	if (r < 0)
		return r;
	return set_request(job, fetch);
}

int fetch_job_error(const struct fetch_job *job, CURLcode code)
{
	long os_error = 0;

	if (job->refused)
		return job->refused;
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(job->easy, CURLINFO_OS_ERRNO, &os_error);
		return os_error > 0 ? -(int)os_error : -ECONNREFUSED;
	case CURLE_URL_MALFORMAT:
		return -EINVAL;
	case CURLE_UNSUPPORTED_PROTOCOL: /* an answer that is not HTTP: the URL has been checked */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return -EBADMSG;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return -ECONNRESET;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return -EKEYREJECTED;
	case CURLE_SSL_CONNECT_ERROR:
		return -EPROTO;
	default:
		return -EIO;
	}
}

const char *fetch_job_why(const struct fetch_job *job, CURLcode code)
{
	if (job->refused)
		return strerrordesc_np(-job->refused);
	return job->text[0] ? job->text : curl_easy_strerror(code);
}

void fetch_job_result(const struct fetch_job *job, int error, const char *why,
		      struct fetch_result *ret)
{
	struct fetch_result result = { .error = error };
	curl_off_t retry_s = 0;

	curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &result.status);
	/* Seconds, or what is left until a date. */
	curl_easy_getinfo(job->easy, CURLINFO_RETRY_AFTER, &retry_s);
	if (retry_s > 0)
		result.retry_after_ns = (uint64_t)MIN(retry_s, MAX_RETRY_S) * 1000000000u;
	if (error)
		snprintf(result.why, sizeof(result.why), "%s", why ? why : "");
	/* It may quote the peer. */
	for (char *c = result.why; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	*ret = result;
}
