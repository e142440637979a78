/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "flags.h"

#ifndef PODJOULE_VERSION
#define PODJOULE_VERSION "unknown"
#endif

#define PROGRAM "podjoule-agent"

/* argp's keys: beyond characters, so that flags have no letter by accident. */
enum { KEY_FLAG = 0x1000, KEY_USAGE = 0x2000, KEY_HELP = '?', KEY_VERSION = 'V' };

static const struct argp_option info_options[] = {
	{ "help", KEY_HELP, NULL, 0, "Give this help and exit", -1 },
	{ "usage", KEY_USAGE, NULL, 0, "Give a short usage message and exit", -1 },
	{ "version", KEY_VERSION, NULL, 0, "Print the version and exit", -1 },
};

static const char *const group_names[] = {
	[GROUP_MEASURING] = "Measuring:", [GROUP_SERVING] = "Serving:",
	[GROUP_NAMING] = "Naming pods:",  [GROUP_OUTPUT] = "Output:",
	[GROUP_RUNNING] = "Running:",
};

static const struct {
	const char *name, *doc;
} commands[] = {
	[COMMAND_RUN] = {
		"run",
		"Measure the energy this node uses and say which container used it.\n\n"
		"Commands:\n"
		"  run        Measure and serve; this is what happens without a command\n"
		"  probe      Say what this node offers, and why the rest is not there"
		"\v"
		"Durations are written 500ms, 10s, 5m. Every flag can also be set in the environment, "
		"--max-cgroups as PODJOULE_MAX_CGROUPS and switches as 1 or 0; a flag wins.\n\n"
		"Examples:\n"
		"  podjoule-agent                           serve /metrics on 127.0.0.1:9713\n"
		"  podjoule-agent --duration=5s -o table    where the joules of 5 s went\n"
		"  podjoule-agent --duration=2s -o json | jq .\n"
		"  podjoule-agent --require=measured,bpf    refuse to guess\n"
		"  podjoule-agent probe                     what can be measured here\n\n"
		"Exit status: 0 done or stopped, 1 failed, 2 bad usage, 3 --require not met.",
	},
	[COMMAND_PROBE] = {
		"probe",
		"Say what this node offers: every energy source, activity source, kernel feature and "
		"permission; which are chosen, and why the others are not.\v"
		"Examples:\n"
		"  podjoule-agent probe\n"
		"  podjoule-agent probe -o json | jq .energy\n"
		"  podjoule-agent probe --energy=powercap   is RAPL readable; if not, why\n\n"
		"Exit status: 0 done, 1 failed, 2 bad usage.",
	},
};

/* What the command line says, before anything in it is judged. */
struct request {
	const char *values[_FLAG_MAX]; /* the last of each */
	struct {
		enum flag_id id;
		const char *value;
	} repeated[MAX_POD_LABELS + 1]; /* one more than is allowed, so that it is refused */
	size_t n_repeated;
	const char *command, *extra;
	int info; /* KEY_HELP, KEY_USAGE, KEY_VERSION or 0 */
	bool reported;
};

static int flag_key(enum flag_id id)
{
	return flags[id].letter ? flags[id].letter : KEY_FLAG + (int)id;
}

/* Room for the flags, --help and its like, a title for each group, and the end. */
#define MAX_OPTIONS (_FLAG_MAX + ARRAY_SIZE(info_options) + ARRAY_SIZE(group_names) + 1)

static void list_options(unsigned int on, struct argp_option *ret)
{
	bool titled[ARRAY_SIZE(group_names)] = { false };
	size_t n = 0;

	for (int id = 0; id < _FLAG_MAX; id++) {
		const struct flag *flag = &flags[id];

		if (!(flag->commands & on))
			continue;
		if (!titled[flag->group])
			ret[n++] = (struct argp_option){ .doc = group_names[flag->group],
							 .group = (int)flag->group };
		titled[flag->group] = true;
		ret[n++] = (struct argp_option){ .name = flag->name,
						 .key = flag_key(id),
						 .arg = flag->value,
						 .doc = flag->help,
						 .group = (int)flag->group };
	}
	memcpy(ret + n, info_options, sizeof(info_options));
	ret[n + ARRAY_SIZE(info_options)] = (struct argp_option){ 0 };
}

/* argp frees what differs from text. */
static char *complete_help(int key, const char *text, void *input _unused_)
{
	for (int id = 0; id < _FLAG_MAX; id++) {
		const char *const *names = flag_names(id), *fallback = flags[id].fallback;
		char known[256] = "", *help;
		size_t len = 0;

		if (flag_key(id) != key || (!names && !fallback))
			continue;
		for (size_t i = 0; names && names[i]; i++) {
			snprintf(known + len, sizeof(known) - len, "%s%s", i ? "," : ": ",
				 names[i]);
			len = strlen(known);
		}
		if (asprintf(&help, "%s%s (default: %s)", text, known,
			     fallback ? fallback : "none") < 0)
			break;
		return help;
	}
	return (char *)text;
}

/* How many long options begin so; *ret_arg says whether the last of them takes a value. */
static int count_matches(const char *name, size_t len, bool *ret_arg)
{
	struct argp_option options[MAX_OPTIONS];
	int n = 0;

	list_options(ON_BOTH, options);
	for (const struct argp_option *o = options; o->name || o->doc; o++) {
		if (!o->name || strncmp(o->name, name, len))
			continue;
		*ret_arg = o->arg != NULL;
		if (!o->name[len])
			return 1;
		n++;
	}
	return n;
}

/* getopt only says that something is wrong; say what it is, or false if nothing is here. */
static bool explain(const char *element, bool last)
{
	int len = (int)strcspn(element, "="), n;
	bool takes_value = false;

	if (element[0] != '-' || !element[1])
		return false;
	if (element[1] != '-') {
		if (!strcmp(element, "-o"))
			return last && flag_error("-o: needs a value; see " PROGRAM " --help");
		return element[1] != 'o' &&
		       flag_error("%.200s: unknown flag; see " PROGRAM " --help", element);
	}
	if (!element[2])
		return false;

	n = count_matches(element + 2, (size_t)len - 2, &takes_value);
	if (n == 0)
		return flag_error("%.*s: unknown flag; see " PROGRAM " --help", MIN(len, 200),
				  element);
	if (n > 1)
		return flag_error("%.*s: could be several flags; see " PROGRAM " --help", len,
				  element);
	if (takes_value && !element[len])
		return last && flag_error("%s: needs a value; see " PROGRAM " --help", element);
	if (!takes_value && element[len])
		return flag_error("%.200s: takes no value; try %.*s", element, len, element);
	return false;
}

static error_t collect(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;
	const int next = state->next;

	switch (key) {
	case ARGP_KEY_ARG:
		if (!request->command)
			request->command = arg;
		else if (!request->extra)
			request->extra = arg;
		return 0;
	case ARGP_KEY_ERROR:
		/* It was the element before, unless that was whole: letters are taken one by one.
		 */
		request->reported =
			(next > 1 && explain(state->argv[next - 1], next == state->argc)) ||
			(next < state->argc && explain(state->argv[next], true));
		return 0;
	case KEY_HELP:
	case KEY_USAGE:
	case KEY_VERSION:
		request->info = request->info ? request->info : key;
		return 0;
	}
	for (int id = 0; id < _FLAG_MAX; id++) {
		if (flag_key(id) != key)
			continue;
		request->values[id] = arg ? arg : "1";
		if (flags[id].repeats && request->n_repeated < ARRAY_SIZE(request->repeated)) {
			request->repeated[request->n_repeated].id = (enum flag_id)id;
			request->repeated[request->n_repeated++].value = arg;
		}
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int read_arguments(int argc, char **argv, struct request *ret)
{
	struct argp_option options[MAX_OPTIONS];
	const struct argp argp = { .options = options, .parser = collect };

	list_options(ON_BOTH, options);
	if (argc < 1)
		return 0;
	if (argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT, NULL, ret)) {
		if (!ret->reported)
			flag_error("cannot read the command line; see " PROGRAM " --help");
		return -EINVAL;
	}
	if (ret->extra)
		return flag_error("%.200s: unexpected argument; see " PROGRAM " --help",
				  ret->extra);
	return 0;
}

static int find_command(const char *name, enum command *ret)
{
	*ret = COMMAND_RUN;
	if (!name)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(name, commands[i].name)) {
			*ret = (enum command)i;
			return 0;
		}
	}
	return flag_error("%.200s: unknown command; it is run or probe, see " PROGRAM " --help",
			  name);
}

static void show_info(int info, bool named, enum command command)
{
	const unsigned int shape = info == KEY_USAGE ? ARGP_HELP_USAGE
						     : ARGP_HELP_SHORT_USAGE | ARGP_HELP_PRE_DOC |
							       ARGP_HELP_LONG | ARGP_HELP_POST_DOC;
	struct argp_option options[MAX_OPTIONS];
	const struct argp argp = { .options = options,
				   .args_doc = named ? NULL : "[run]\nprobe",
				   .doc = commands[command].doc,
				   .help_filter = complete_help };
	char name[64];

	if (info == KEY_VERSION) {
		printf(PROGRAM " %s\n", PODJOULE_VERSION);
		return;
	}
	list_options(1u << command, options);
	snprintf(name, sizeof(name), PROGRAM "%s%s", named ? " " : "",
		 named ? commands[command].name : "");
	argp_help(&argp, stdout, shape, name);
}

/* --max-cgroups is PODJOULE_MAX_CGROUPS; set but empty counts as unset. */
static const char *from_environment(const struct flag *flag, char *ret_name, size_t size)
{
	const char *value;

	snprintf(ret_name, size, "PODJOULE_%s", flag->name);
	for (char *c = ret_name; *c; c++)
		*c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
	value = getenv(ret_name);
	return value && *value ? value : NULL;
}

/* Every time that a flag stands on the command line, in this order. */
static int set_each(enum flag_id id, const struct request *request, struct setting *setting)
{
	for (size_t i = 0; i < request->n_repeated; i++) {
		if (request->repeated[i].id != id)
			continue;
		setting->value = request->repeated[i].value;
		if (setting->flag->set(setting) < 0)
			return -EINVAL;
	}
	return 0;
}

/* Flag, environment or default, in this order, for one flag. */
static int apply(enum flag_id id, const struct request *request, struct config *config)
{
	const struct flag *flag = &flags[id];
	const bool applies = flag->commands & 1u << config->command;
	struct setting setting = { .flag = flag, .value = request->values[id], .config = config };
	bool given = true;

	if (setting.value && !applies)
		return flag_error("--%s: not a flag of %s; see " PROGRAM " %s --help", flag->name,
				  commands[config->command].name, commands[config->command].name);
	snprintf(setting.origin, sizeof(setting.origin), "--%s", flag->name);
	if (setting.value && flag->repeats)
		return set_each(id, request, &setting);
	/* One environment serves all commands: what is not for this one is not even looked at. */
	if (!setting.value && applies)
		setting.value = from_environment(flag, setting.origin, sizeof(setting.origin));
	if (!setting.value) {
		given = false;
		setting.value = flag->fallback;
	}
	if (!setting.value)
		return 0;

	config->listen_given |= given && id == FLAG_LISTEN;
	config->health_given |= given && id == FLAG_HEALTH_LISTEN;
	return flag->set(&setting);
}

static const char *default_node_name(void)
{
	static char host_name[HOST_NAME_MAX + 1];
	const char *name = getenv("NODE_NAME");

	if (name && *name)
		return name;
	if (gethostname(host_name, sizeof(host_name) - 1) < 0 || !*host_name)
		return "unknown";
	return host_name;
}

int config_parse(int argc, char **argv, struct config *ret)
{
	struct request request = { 0 };
	struct config config = { 0 };

	if (read_arguments(argc, argv, &request) < 0 ||
	    find_command(request.command, &config.command) < 0)
		return EXIT_USAGE + 1;
	if (request.info) {
		show_info(request.info, request.command != NULL, config.command);
		return EXIT_OK + 1;
	}

	for (int id = 0; id < _FLAG_MAX; id++)
		if (apply(id, &request, &config) < 0)
			return EXIT_USAGE + 1;
	if (!config.node_name)
		config.node_name = default_node_name();
	/* A run that ends prints what it found; a live table has shown it already. */
	if (config.output == OUTPUT_NONE &&
	    (config.command == COMMAND_PROBE || (config.duration_ns && !config.live)))
		config.output = OUTPUT_TABLE;

	*ret = config;
	return 0;
}
