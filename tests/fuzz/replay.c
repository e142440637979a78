/* SPDX-License-Identifier: Apache-2.0 */
/* Replay: give every file that is named, or lies in a named directory, to a fuzz target once. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Files run; -1 when one could not be read. */
static int replay_file(const char *path)
{
	_fclose_ FILE *file = fopen(path, "r");
	_free_ uint8_t *data = NULL;
	struct stat st;
	size_t size;

	if (!file || fstat(fileno(file), &st) < 0) {
		fprintf(stderr, "replay: cannot read '%s': %s\n", path, strerror(errno));
		return -1;
	}
	size = (size_t)st.st_size;
	/* Exactly as large as the input, so that a sanitizer sees the byte behind it. */
	data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, file) != size) {
		fprintf(stderr, "replay: cannot read '%s' whole\n", path);
		return -1;
	}
	LLVMFuzzerTestOneInput(data, size);
	return 1;
}

static int replay_directory(const char *path)
{
	_dir_ DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (!dir)
		return replay_file(path);
	while ((entry = readdir(dir))) {
		_free_ char *name = NULL;
		int r;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&name, "%s/%s", path, entry->d_name) < 0)
			return -1;
		r = replay_file(name);
		if (r < 0)
			return r;
		n += r;
	}
	return n;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int n = replay_directory(argv[i]);

		if (n < 0)
			return 1;
		total += n;
	}
	/* A corpus that is not where it was said to be must not look like success. */
	if (!total) {
		fprintf(stderr, "replay: no inputs; name files or directories\n");
		return 1;
	}
	printf("replay: %d inputs\n", total);
	return 0;
}
