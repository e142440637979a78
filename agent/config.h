/* SPDX-License-Identifier: Apache-2.0 */
/* Config: the command line and its environment become one struct that is const from then on. */
#ifndef PODJOULE_CONFIG_H
#define PODJOULE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "account/ledger.h"
#include "platform/log.h"

enum command { COMMAND_RUN, COMMAND_PROBE };
enum output { OUTPUT_NONE, OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

/* Exit status: CONTRACT section 1. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3 };

#define REQUIRE_MEASURED 1u
#define REQUIRE_BPF      2u
#define REQUIRE_PMU      4u
#define REQUIRE_PODS     8u

enum pods_mode { PODS_AUTO, PODS_KUBE, PODS_LOCAL, PODS_NONE };

#define MAX_POD_LABELS 16

struct config {
	enum command command;
	char listen_host[256];
	uint16_t listen_port;
	bool listen_given;
	char health_host[256];
	uint16_t health_port;
	bool health_given;
	double rate_hz; /* 0: auto */
	uint64_t publish_ns;
	bool unsafe_publish;
	const char *energy; /* order of sources, "auto" */
	const char *activity;
	const char *hierarchy; /* NULL: found */
	const char *btf;
	unsigned int require;
	const char *node_name;
	uint32_t max_cgroups, tombstones;
	enum pods_mode pods;
	const char *kube_server, *kube_token_file, *kube_ca_file; /* NULL: in-cluster */
	const char *pod_labels[MAX_POD_LABELS + 1];               /* keys, NULL at the end */
	unsigned int processes;                                   /* 0: none */
	enum idle_share idle;
	bool realtime;
	const char *sysfs, *procfs, *cgroupfs; /* NULL: the host's own */
	const char *rootfs;                    /* of /var/log and /run; NULL: / */
	uint64_t duration_ns;                  /* 0: until stopped */
	enum output output;
	bool live; /* redraw the table while running */
	enum log_level log_level;
	enum log_format log_format;
};

/*
 * Parse argv and PODJOULE_* into *ret (strings are borrowed from argv and the environment, keys of
 * labels from a buffer that the next call overwrites).
 * Returns 0 to go on, or the status to exit with plus one (help and version print and exit 0,
 * i.e. return 1); errors have been printed as one line that names the flag and the remedy.
 */
int config_parse(int argc, char **argv, struct config *ret);

#endif
