/* See follower.h. Called by auth.c, canary.c and build.c. */
#include "model/follower.h"

#include "model/model_priv.h"

void follower_enter(struct follower *follower)
{
	struct service_node *service = follower->service;

	follower->next_of_service = service->followers;
	if (service->followers != NULL) {
		service->followers->prev_of_service = follower;
	}
	service->followers = follower;
}

void follower_leave(struct model *model, struct follower *follower)
{
	struct service_node *service = follower->service;

	backend_release(model, follower->backend);
	if (service == NULL) {
		return;
	}
	if (follower->prev_of_service != NULL) {
		follower->prev_of_service->next_of_service = follower->next_of_service;
	} else {
		service->followers = follower->next_of_service;
	}
	if (follower->next_of_service != NULL) {
		follower->next_of_service->prev_of_service = follower->prev_of_service;
	}
	service_release(model, service);
}

void follower_touch_all(struct model *model, const struct service_node *service)
{
	for (const struct follower *follower = service->followers; follower != NULL;
		follower = follower->next_of_service) {
		policies_touch(model, follower->policy);
	}
}
