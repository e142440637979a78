/* SPDX-License-Identifier: Apache-2.0 */
/* Flags about pods: who names them, and what is copied from them.  Setters for the flag table. */
#ifndef PODJOULE_FLAGS_PODS_H
#define PODJOULE_FLAGS_PODS_H

struct setting;

int set_pods(const struct setting *setting);
int set_kube_server(const struct setting *setting); /* these three lean on set_pods */
int set_kube_token_file(const struct setting *setting);
int set_kube_ca_file(const struct setting *setting);
/* One key, or several with commas between; called again, it adds to them. */
int set_pod_label(const struct setting *setting);

#endif
