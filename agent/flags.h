/* SPDX-License-Identifier: Apache-2.0 */
/* Flags: every flag once: its name, its help, its default and who judges its value. */
#ifndef PODJOULE_FLAGS_H
#define PODJOULE_FLAGS_H

#include <stddef.h>

#include "config.h"
#include "platform/scope.h"

/* In the order in which they are applied: one that another leans on comes first. */
enum flag_id {
	FLAG_RATE,
	FLAG_ENERGY,
	FLAG_ACTIVITY,
	FLAG_HIERARCHY,
	FLAG_BTF,
	FLAG_REQUIRE,
	FLAG_MAX_CGROUPS,
	FLAG_TOMBSTONES,
	FLAG_PROCESSES,
	FLAG_IDLE,
	FLAG_UNSAFE_PUBLISH, /* lifts the floor of publish */
	FLAG_PUBLISH,
	FLAG_LISTEN,
	FLAG_HEALTH_LISTEN,
	FLAG_NODE_NAME,
	FLAG_PODS, /* those of the API server need it */
	FLAG_KUBE_SERVER,
	FLAG_KUBE_TOKEN_FILE,
	FLAG_KUBE_CA_FILE,
	FLAG_POD_LABEL,
	FLAG_DURATION, /* output needs one */
	FLAG_OUTPUT,
	FLAG_LIVE,
	FLAG_LOG_LEVEL,
	FLAG_LOG_FORMAT,
	FLAG_SYSFS,
	FLAG_PROCFS,
	FLAG_CGROUPFS,
	FLAG_ROOTFS,
	FLAG_REALTIME,
	_FLAG_MAX
};

enum flag_group { GROUP_MEASURING = 1, GROUP_SERVING, GROUP_NAMING, GROUP_OUTPUT, GROUP_RUNNING };

#define ON_RUN   (1u << COMMAND_RUN)
#define ON_PROBE (1u << COMMAND_PROBE)
#define ON_BOTH  (ON_RUN | ON_PROBE)

/* A value on its way into the config, and the name that its giver knows it by. */
struct setting {
	const struct flag *flag;
	char origin[48]; /* "--rate" or "PODJOULE_RATE" */
	const char *value;
	struct config *config;
};

struct flag {
	const char *name;
	const char *value;    /* "HZ" in the help; NULL: a switch */
	const char *fallback; /* what holds when nobody says; NULL: nothing is set */
	const char *help;
	/* Judge and store; -EINVAL when the value was refused, which has been printed. */
	int (*set)(const struct setting *setting);
	size_t offset; /* of the member, where one setter serves several flags */
	enum flag_group group;
	unsigned int commands;
	char letter;  /* of the short form, or 0 */
	bool repeats; /* set is called for each time that it stands there */
};

extern const struct flag flags[_FLAG_MAX];
/* What a list flag accepts, NULL-terminated; NULL for the others. */
const char *const *flag_names(enum flag_id id);

#define FLAG_SHOWN 200 /* bytes of a value that an error repeats */

/* "podjoule-agent: …" as one line on stderr; returns -EINVAL. */
int flag_error(const char *format, ...) _printf_(1, 2);
/* "--rate=0: takes …; try --rate=auto" */
int flag_refuse(const struct setting *setting, const char *why, const char *instead);
/* The value names a file that can be read, and becomes *ret; else the advice stands in the error.
 */
int flag_file(const struct setting *setting, const char *advice, const char **ret);
/* The value is one of n names, and its index becomes *ret; why is what the flag takes. */
int flag_word(const struct setting *setting, const char *const *names, size_t n, const char *why,
	      unsigned int *ret);

#endif
