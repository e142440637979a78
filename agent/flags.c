/* SPDX-License-Identifier: Apache-2.0 */
#include "flags.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "activity/activity.h"
#include "energy/energy.h"
#include "flags_pods.h"
#include "platform/parse.h"

static const char *const require_names[] = { "measured", "bpf", "pmu", "pods", NULL };

_Static_assert(REQUIRE_MEASURED == 1u << 0 && REQUIRE_BPF == 1u << 1 && REQUIRE_PMU == 1u << 2 &&
		       REQUIRE_PODS == 1u << 3,
	       "bits in the order of require_names");

int flag_error(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* What came from outside cannot make two lines of one. */
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "podjoule-agent: %s\n", line);
	return -EINVAL;
}

int flag_refuse(const struct setting *setting, const char *why, const char *instead)
{
	return flag_error("%s=%.*s: %s; try %s=%s", setting->origin, FLAG_SHOWN, setting->value,
			  why, setting->origin, instead);
}

int flag_file(const struct setting *setting, const char *advice, const char **ret)
{
	_close_ int fd = open(setting->value, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int error = errno;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
		*ret = setting->value;
		return 0;
	}
	return flag_error("%s=%.*s: cannot read it: %s; %s", setting->origin, FLAG_SHOWN,
			  setting->value, fd < 0 ? strerrordesc_np(error) : "Not a file", advice);
}

int flag_word(const struct setting *setting, const char *const *names, size_t n, const char *why,
	      unsigned int *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(setting->value, names[i]))
			continue;
		*ret = (unsigned int)i;
		return 0;
	}
	return flag_refuse(setting, why, setting->flag->fallback);
}

static int set_rate(const struct setting *setting)
{
	double rate_hz = 0;

	if (strcmp(setting->value, "auto") &&
	    (parse_double(setting->value, &rate_hz) < 0 || rate_hz < 1 || rate_hz > 1000))
		return flag_refuse(setting, "takes auto or 1 to 1000 samples a second", "auto");
	setting->config->rate_hz = rate_hz;
	return 0;
}

/* A name that stands twice is a typo. */
static int mark_once(size_t index, void *ctx)
{
	uint64_t *seen = ctx;

	if (*seen & UINT64_C(1) << index)
		return -EEXIST;
	*seen |= UINT64_C(1) << index;
	return 0;
}

static int check_names(const struct setting *setting, uint64_t *ret_seen)
{
	const char *const *names = flag_names((enum flag_id)(setting->flag - flags));
	char known[256] = "", bad[64] = "";
	size_t n = 0, len = 0;
	uint64_t seen = 0;
	int r;

	for (; n < 64 && names[n]; n++) {
		snprintf(known + len, sizeof(known) - len, "%s%s", n ? "," : "", names[n]);
		len = strlen(known);
	}
	r = parse_list(setting->value, names, n, mark_once, &seen, bad, sizeof(bad));
	if (r == -EEXIST)
		return flag_error("%s=%.*s: has a name twice; give each once", setting->origin,
				  FLAG_SHOWN, setting->value);
	if (r < 0)
		return flag_error("%s=%.*s: '%s' is unknown; choose from %s", setting->origin,
				  FLAG_SHOWN, setting->value, bad, known);

	*ret_seen = seen;
	return 0;
}

static const char **member_string(const struct setting *setting)
{
	return (const char **)((char *)setting->config + setting->flag->offset);
}

static int set_order(const struct setting *setting)
{
	uint64_t seen;

	if (strcmp(setting->value, "auto") && check_names(setting, &seen) < 0)
		return -EINVAL;
	*member_string(setting) = setting->value;
	return 0;
}

static int set_require(const struct setting *setting)
{
	uint64_t seen = 0;

	if (check_names(setting, &seen) < 0)
		return -EINVAL;
	setting->config->require = (unsigned int)seen;
	return 0;
}

static int set_hierarchy(const struct setting *setting)
{
	size_t len = strlen(setting->value);

	if (!len || len >= sizeof(((struct hierarchy *)NULL)->name) ||
	    setting->value[strspn(setting->value, "abcdefghijklmnopqrstuvwxyz0123456789_-=,.")])
		return flag_refuse(setting, "takes unified or the name of a cgroup v1 hierarchy",
				   "unified");
	setting->config->hierarchy = setting->value;
	return 0;
}

static int set_btf(const struct setting *setting)
{
	return flag_file(setting, "give the file with this kernel's BTF", &setting->config->btf);
}

static int set_count(const struct setting *setting, uint64_t least, uint64_t most, uint32_t *ret)
{
	char why[80];
	uint64_t n;

	if (parse_u64(setting->value, &n) < 0 || n < least || n > most) {
		snprintf(why, sizeof(why), "takes %lu to %lu", (unsigned long)least,
			 (unsigned long)most);
		return flag_refuse(setting, why, setting->flag->fallback);
	}
	*ret = (uint32_t)n;
	return 0;
}

static int set_max_cgroups(const struct setting *setting)
{
	return set_count(setting, 16, 1048576, &setting->config->max_cgroups);
}

static int set_tombstones(const struct setting *setting)
{
	return set_count(setting, 0, 1000000, &setting->config->tombstones);
}

static int set_processes(const struct setting *setting)
{
	return set_count(setting, 0, 1000, &setting->config->processes);
}

static int set_idle(const struct setting *setting)
{
	static const char *const names[] = {
		[IDLE_NOT_SHARED] = "none", [IDLE_BY_REQUEST] = "request", [IDLE_EQUALLY] = "equal"
	};
	unsigned int share = IDLE_NOT_SHARED;

	if (flag_word(setting, names, ARRAY_SIZE(names), "takes none, request or equal", &share) <
	    0)
		return -EINVAL;
	setting->config->idle = (enum idle_share)share;
	return 0;
}

static int set_address(const struct setting *setting, char *ret_host, size_t size,
		       uint16_t *ret_port)
{
	if (parse_address(setting->value, ret_host, size, ret_port) < 0)
		return flag_refuse(setting, "takes HOST:PORT, :PORT or [IPV6]:PORT",
				   "127.0.0.1:9713");
	return 0;
}

static int set_listen(const struct setting *setting)
{
	struct config *config = setting->config;

	return set_address(setting, config->listen_host, sizeof(config->listen_host),
			   &config->listen_port);
}

static int set_health_listen(const struct setting *setting)
{
	struct config *config = setting->config;

	return set_address(setting, config->health_host, sizeof(config->health_host),
			   &config->health_port);
}

static int set_publish(const struct setting *setting)
{
	uint64_t ns;

	if (parse_duration_ns(setting->value, &ns) < 0 || !ns || ns > 3600000000000)
		return flag_refuse(setting, "takes 100ms to 1h", "1s");
	if (ns < 100000000 && !setting->config->unsafe_publish)
		return flag_error("%s=%.*s: below the floor of 100ms (a limit on the power side "
				  "channel); try %s=100ms, or add --unsafe-publish",
				  setting->origin, FLAG_SHOWN, setting->value, setting->origin);
	setting->config->publish_ns = ns;
	return 0;
}

static int set_node_name(const struct setting *setting)
{
	if (!*setting->value)
		return flag_refuse(setting, "takes a name", "node-1");
	setting->config->node_name = setting->value;
	return 0;
}

static int set_duration(const struct setting *setting)
{
	uint64_t ns;

	if (parse_duration_ns(setting->value, &ns) < 0 || ns < 1000000 || ns > 31536000000000000)
		return flag_refuse(setting, "takes 1ms to 365d", "5s");
	setting->config->duration_ns = ns;
	return 0;
}

static int set_output(const struct setting *setting)
{
	static const char *const names[] = { "table", "json", "csv" };
	bool probe = setting->config->command == COMMAND_PROBE;

	for (size_t i = 0; i < ARRAY_SIZE(names) - probe; i++) {
		if (strcmp(setting->value, names[i]))
			continue;
		if (!probe && !setting->config->duration_ns)
			return flag_error("%s=%s: needs --duration; add --duration=5s",
					  setting->origin, setting->value);
		setting->config->output = (enum output)(OUTPUT_TABLE + i);
		return 0;
	}
	return flag_refuse(setting, probe ? "takes table or json" : "takes table, json or csv",
			   "table");
}

static int set_log_level(const struct setting *setting)
{
	if (log_parse_level(setting->value, &setting->config->log_level) < 0)
		return flag_refuse(setting, "takes error, warning, info or debug", "info");
	return 0;
}

static int set_log_format(const struct setting *setting)
{
	if (log_parse_format(setting->value, &setting->config->log_format) < 0)
		return flag_refuse(setting, "takes text or json", "text");
	return 0;
}

static int set_dir(const struct setting *setting)
{
	_close_ int fd = open(setting->value, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return flag_error("%s=%.*s: cannot open it: %s; give the directory where the "
				  "host's tree is mounted",
				  setting->origin, FLAG_SHOWN, setting->value,
				  strerrordesc_np(errno));
	*member_string(setting) = setting->value;
	return 0;
}

static int set_switch(const struct setting *setting)
{
	bool *member = (bool *)((char *)setting->config + setting->flag->offset);

	if (!parse_bool(setting->value, member))
		return flag_refuse(setting, "takes 1, 0, true or false", "1");
	return 0;
}

const char *const *flag_names(enum flag_id id)
{
	switch (id) {
	case FLAG_ENERGY:
		return energy_driver_names;
	case FLAG_ACTIVITY:
		return activity_driver_names;
	case FLAG_REQUIRE:
		return require_names;
	default:
		return NULL;
	}
}

/* clang-format off */
#define FLAG(name, value, fallback, group, commands, set, help)                                    \
	{ name, value, fallback, help, set, 0, GROUP_##group, ON_##commands, 0, false }
#define MEMBER(name, value, fallback, group, commands, set, member, help)                          \
	{ name, value, fallback, help, set, offsetof(struct config, member), GROUP_##group,        \
	  ON_##commands, 0, false }

const struct flag flags[_FLAG_MAX] = {
	[FLAG_RATE] = FLAG("rate", "auto|HZ", "auto", MEASURING, RUN, set_rate,
		"Samples a second, 1 to 1000, held whenever anything runs; auto sleeps while "
		"the node is idle and goes up to 20 when it is busy"),
	[FLAG_ENERGY] = MEMBER("energy", "LIST", "auto", MEASURING, BOTH, set_order, energy,
		"Energy sources in order of preference; the first that works wins for each zone"),
	[FLAG_ACTIVITY] = MEMBER("activity", "LIST", "auto", MEASURING, BOTH, set_order, activity,
		"Activity sources in order of preference"),
	[FLAG_HIERARCHY] = FLAG("hierarchy", "NAME", NULL, MEASURING, BOTH, set_hierarchy,
		"The cgroup hierarchy that owns tasks: unified, or the name of a v1 hierarchy "
		"(default: found)"),
	[FLAG_BTF] = FLAG("btf", "FILE", NULL, MEASURING, BOTH, set_btf,
		"Type information of a kernel that has none of its own (default: the kernel's)"),
	[FLAG_REQUIRE] = FLAG("require", "LIST", NULL, MEASURING, RUN, set_require,
		"Exit with status 3 rather than go without one of these"),
	[FLAG_MAX_CGROUPS] = FLAG("max-cgroups", "N", "4096", MEASURING, RUN, set_max_cgroups,
		"Room for N cgroups, 16 to 1048576; what does not fit is counted as unattributed"),
	[FLAG_TOMBSTONES] = FLAG("tombstones", "N", "1000", MEASURING, RUN, set_tombstones,
		"Keep the series of at most N ended containers, 0 to 1000000"),
	[FLAG_PROCESSES] = FLAG("processes", "N", "0", MEASURING, RUN, set_processes,
		"Also show the N processes that used most, 0 to 1000"),
	[FLAG_IDLE] = FLAG("idle", "none|request|equal", "none", MEASURING, RUN, set_idle,
		"Share static energy out to the containers of running pods, in series of its own: "
		"by CPU request, or the same to each"),
	[FLAG_UNSAFE_PUBLISH] = MEMBER("unsafe-publish", NULL, NULL, SERVING, RUN, set_switch,
		unsafe_publish,
		"Allow --publish below 100ms, where others on the node may read secrets from "
		"power (default: off)"),
	[FLAG_PUBLISH] = FLAG("publish", "DURATION", "1s", SERVING, RUN, set_publish,
		"Metrics and snapshot move at most this often, 100ms to 1h"),
	[FLAG_LISTEN] = FLAG("listen", "HOST:PORT", "127.0.0.1:9713", SERVING, RUN, set_listen,
		"Serve HTTP here; with --duration only if given"),
	[FLAG_HEALTH_LISTEN] = FLAG("health-listen", "HOST:PORT", NULL, SERVING, RUN,
		set_health_listen,
		"Serve /healthz and /readyz here as well (default: not)"),
	[FLAG_NODE_NAME] = FLAG("node-name", "NAME", NULL, SERVING, BOTH, set_node_name,
		"Name of this node in all output (default: $NODE_NAME, else the host name)"),
	[FLAG_PODS] = FLAG("pods", "auto|kube|local|none", "auto", NAMING, BOTH, set_pods,
		"Who names pods: the API server, this node's own files, nobody; auto asks both"),
	[FLAG_KUBE_SERVER] = FLAG("kube-server", "URL", NULL, NAMING, BOTH, set_kube_server,
		"The API server, http:// or https:// (default: that of the cluster it runs in)"),
	[FLAG_KUBE_TOKEN_FILE] = FLAG("kube-token-file", "FILE", NULL, NAMING, BOTH,
		set_kube_token_file,
		"Token for the API server, read again when it changes (default: the pod's)"),
	[FLAG_KUBE_CA_FILE] = FLAG("kube-ca-file", "FILE", NULL, NAMING, BOTH, set_kube_ca_file,
		"Certificates that the API server is believed by (default: the pod's, else the "
		"system's)"),
	[FLAG_POD_LABEL] = { "pod-label", "KEY", NULL,
		"Copy this label of pods to their series; may stand up to 16 times, or hold a "
		"list (default: none)",
		set_pod_label, 0, GROUP_NAMING, ON_RUN, 0, true },
	[FLAG_DURATION] = FLAG("duration", "DURATION", NULL, OUTPUT, RUN, set_duration,
		"Run this long, 1ms to 365d, print the result and exit (default: until stopped)"),
	[FLAG_OUTPUT] = { "output", "FORMAT", NULL,
		"Print table, json or csv; run needs --duration for it, probe has no csv "
		"(default: table)",
		set_output, 0, GROUP_OUTPUT, ON_BOTH, 'o', false },
	[FLAG_LIVE] = MEMBER("live", NULL, NULL, OUTPUT, RUN, set_switch, live,
		"Show a table of joules per workload while running (default: off)"),
	[FLAG_LOG_LEVEL] = FLAG("log-level", "LEVEL", "info", RUNNING, BOTH, set_log_level,
		"Log error, warning, info or debug and what is worse"),
	[FLAG_LOG_FORMAT] = FLAG("log-format", "FORMAT", "text", RUNNING, BOTH, set_log_format,
		"Log lines as text or json"),
	[FLAG_SYSFS] = MEMBER("sysfs", "DIR", NULL, RUNNING, BOTH, set_dir, sysfs,
		"Where the host's sysfs is (default: /sys)"),
	[FLAG_PROCFS] = MEMBER("procfs", "DIR", NULL, RUNNING, BOTH, set_dir, procfs,
		"Where the host's procfs is (default: /proc)"),
	[FLAG_CGROUPFS] = MEMBER("cgroupfs", "DIR", NULL, RUNNING, BOTH, set_dir, cgroupfs,
		"Where the host's cgroups are (default: /sys/fs/cgroup)"),
	[FLAG_ROOTFS] = MEMBER("rootfs", "DIR", NULL, RUNNING, BOTH, set_dir, rootfs,
		"Where the host's root is, for /var/log and what container runtimes keep "
		"(default: /)"),
	[FLAG_REALTIME] = MEMBER("realtime", NULL, NULL, RUNNING, RUN, set_switch, realtime,
		"Schedule the sampler as SCHED_FIFO; needs CAP_SYS_NICE (default: off)"),
};
/* clang-format on */
