/* Any bytes as a manifest file: all of its objects or none, and every object is whole. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "manifest/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest_file file = {0};
	struct err err = {0};

	if (!manifest_file_parse((const char *)data, size, &file, &err)) {
		assert(err.kind == ERR_INPUT && err.text[0] != '\0');
		assert(file.objects == NULL && file.n_objects == 0 && file.n_refusals == 0);
		return 0;
	}
	assert(err.kind == ERR_NONE);
	for (size_t i = 0; i < file.n_objects; i++) {
		const struct object *object = file.objects[i];
		bool is_cluster_scoped = object->kind == KUBE_INGRESS_CLASS;
		assert(object->kind < KUBE_KIND_COUNT);
		assert(*object_name(object) != '\0');
		assert((*object_namespace(object) == '\0') == is_cluster_scoped);
	}
	for (size_t i = 0; i < file.n_refusals; i++) {
		assert(*object_name(file.refusals[i].key) != '\0');
		assert(*file.refusals[i].reason != '\0');
	}
	manifest_file_fini(&file);
	return 0;
}
