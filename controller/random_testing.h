/*
 * For tests with random events: those of a small cluster, chosen by dice. The names are few, so
 * that everything meets everything: the same host and path from several Ingresses of one age,
 * slices that move between Services, Services that come, go and change. Include after cmocka.h.
 */
#ifndef HG_RANDOM_TESTING_H
#define HG_RANDOM_TESTING_H

#include "expiry.h"
#include "kube/secret_testing.h"

#define N_NAMESPACES 3
#ifndef N_SERVICES /* a test may want a bigger one */
#define N_SERVICES  6
#define N_INGRESSES 7
#define N_SLICES    8
#endif
#define N_CLASSES 3
#define N_SECRETS 6
#define N_MAPS	  2

/* Of a Service, as only manifests can have it. */
#define HOSTILE_NAME "x y;z"

struct dice {
	uint64_t random;
	struct store *store; /* where things happen */
	bool has_variants;   /* annotations ask for other backends, too */
};

static inline unsigned pick(struct dice *dice, unsigned n)
{
	dice->random ^= dice->random << 13;
	dice->random ^= dice->random >> 7;
	dice->random ^= dice->random << 17;
	return (unsigned)((dice->random * 0x2545f4914f6cdd1du) >> 33) % n;
}

static inline bool one_in(struct dice *dice, unsigned n)
{
	return pick(dice, n) == 0;
}

static inline const char *pick_text(struct dice *dice, const char *const *texts, size_t n)
{
	return texts[pick(dice, (unsigned)n)];
}

#define PICK_TEXT(dice, texts) pick_text(dice, texts, ARRAY_LEN(texts))

/* ---- events ---- */

/* An annotation, with a comma in front, that HAProxy fixes when it makes a backend; "" = none. */
static inline const char *pick_variant(struct dice *dice)
{
	static const char *const annotations[] = {",'haproxy.org/load-balance':'leastconn'",
		",'haproxy.org/load-balance':'hdr(X)','haproxy.org/pod-maxconn':'3'",
		",'haproxy.org/cookie-persistence':'S','haproxy.org/check':'maybe'",
		",'haproxy.org/check-http':'GET /x','haproxy.org/check-interval':'5s'",
		",'haproxy.org/check':'true','haproxy.org/send-proxy-protocol':'proxy-v2'",
		",'haproxy.org/server-proto':'h2'", ",'haproxy.org/server-ssl':'true'",
		",'haproxy.org/server-ca':'t0'", ",'haproxy.org/server-ca':'n1/t1'",
		",'haproxy.org/server-crt':'t2','haproxy.org/server-ca':'t0'",
		",'haproxy.org/server-crt':'t1','haproxy.org/check':'true'",
		",'haproxy.org/ssl-passthrough':'true'",
		",'haproxy.org/ssl-passthrough':'true','haproxy.org/set-host':'a.test'"};

	return dice->has_variants && one_in(dice, 3) ? PICK_TEXT(dice, annotations) : "";
}

static inline void put_service(struct dice *dice)
{
	static const char *const families[] = {
		"", "", "'ipFamilies':['IPv6','IPv4'],", "'ipFamilies':['IPv4'],"};
	static const char *const externals[] = {"x.test", "x.test", "y.test", "bad name"};
	static const char *const ports[] = {
		"{'name':'http','port':80}",
		"{'name':'http','port':80,'appProtocol':'kubernetes.io/h2c'}",
		"{'name':'http','port':80,'appProtocol':'https'}",
		"{'name':'http','port':80},{'name':'admin','port':81}",
		"{'name':'admin','port':81},{'name':'http','port':82}",
		("{'name':'web','port':80},{'name':'http','port':81},"
		 "{'name':'dns','port':82,'protocol':'UDP'}"),
		"{'port':80}",
		"",
	};
	static const char *const annotations[] = {"'a':'b'", "'haproxy.org/ssl-redirect':'true'",
		"'headgate.dev/timeout-server':'never'", "'headgate.dev/timeout-server':'5s'",
		"'headgate.dev/auth-namespaces':'*'"};
	unsigned i = pick(dice, N_SERVICES);

	if (one_in(dice, 20)) {
		testing_put_service(dice->store, "n0", HOSTILE_NAME, ports[0]);
		return;
	}
	testing_put(dice->store, KUBE_SERVICE,
		"{'metadata':{'namespace':'n%u','name':'s%u','annotations':{%s%s}},'spec':{%s"
		"'type':'%s','externalName':'%s','ports':[%s]}}",
		i % N_NAMESPACES, i, PICK_TEXT(dice, annotations), pick_variant(dice),
		PICK_TEXT(dice, families), one_in(dice, 4) ? "ExternalName" : "ClusterIP",
		PICK_TEXT(dice, externals), PICK_TEXT(dice, ports));
}

static inline void add_endpoint(struct dice *dice, struct buf *text)
{
	static const char *const ready[] = {"'ready':true", "'ready':true", "'ready':true",
		"'ready':false", "'ready':null", "'ready':false,'serving':true,'terminating':true",
		"'ready':false,'serving':true,'terminating':true"};
	static const char *const pods[] = {
		"p0", "p1", "p2", "p3", "10.0.0.2_8080", "bad name;x", ""};
	static const char *const others[] = {"fd00::1", "FD00::0001", "fd00::2", "nonsense",
		"10.0.0.1;x", "169.254.169.254", "127.0.0.1"};

	buf_append_str(text, "{'addresses':['");
	if (one_in(dice, 6)) {
		buf_append_str(text, PICK_TEXT(dice, others));
	} else {
		buf_printf(text, "10.0.0.%u", 1 + pick(dice, 5));
	}
	buf_printf(text, "'],'conditions':{%s},'targetRef':{'kind':'%s','name':'%s'}}",
		PICK_TEXT(dice, ready), one_in(dice, 8) ? "Node" : "Pod", PICK_TEXT(dice, pods));
}

static inline void put_slice(struct dice *dice)
{
	static const char *const ports[] = {
		"{'name':'http','port':8080}",
		"{'name':'http','port':8080},{'name':'admin','port':9090}",
		"{'name':'http','port':8081},{'name':'admin','port':9090},{'port':7070}",
		"{'port':8080}",
		"{'name':'http'}",
	};
	unsigned i = pick(dice, N_SLICES);
	unsigned namespace = i % N_NAMESPACES;
	unsigned service = namespace + N_NAMESPACES * pick(dice, N_SERVICES / N_NAMESPACES);
	struct buf endpoints = BUF_INIT(0);

	for (unsigned n = pick(dice, 5); n > 0; n--) {
		add_endpoint(dice, &endpoints);
		buf_append_str(&endpoints, n > 1 ? "," : "");
	}
	testing_put(dice->store, KUBE_ENDPOINT_SLICE,
		"{'metadata':{'namespace':'n%u','name':'e%u','labels':{'kubernetes.io/"
		"service-name':'s%u'}},"
		"'ports':[%s],'endpoints':[%s]}",
		namespace, i, service, PICK_TEXT(dice, ports), buf_str(&endpoints));
	buf_fini(&endpoints);
}

static inline void add_backend(struct dice *dice, struct buf *text, unsigned namespace)
{
	static const char *const ports[] = {"'number':80", "'number':80", "'number':81",
		"'number':82", "'name':'http'", "'name':'admin'", "'name':'nope'", ""};
	unsigned service = namespace + N_NAMESPACES * pick(dice, N_SERVICES / N_NAMESPACES);

	if (one_in(dice, 20)) {
		buf_append_str(text, "{'resource':{'kind':'Bucket','name':'b'}}");
	} else if (one_in(dice, 20)) {
		buf_append_str(
			text, "{'service':{'name':'" HOSTILE_NAME "','port':{'number':80}}}");
	} else {
		buf_printf(text, "{'service':{'name':'s%u','port':{%s}}}",
			one_in(dice, 10) ? pick(dice, N_SERVICES) : service,
			PICK_TEXT(dice, ports));
	}
}

static inline void add_rule(struct dice *dice, struct buf *text, unsigned namespace)
{
	static const char *const hosts[] = {"", "a.test", "a.test", "a.test", "b.test", "c.a.test",
		"*.test", "*.a.test", "BAD.test", "x y"};
	static const char *const paths[] = {"/", "/a", "/a", "/a/", "/a/", "/a/b", "/b", "/x;y",
		"/%41", "/bad path", "nope", ""};
	static const char *const types[] = {
		"Exact", "Prefix", "Prefix", "ImplementationSpecific", "Regex"};

	buf_printf(text, "{'host':'%s','http':{'paths':[", PICK_TEXT(dice, hosts));
	for (unsigned n = pick(dice, 4); n > 0; n--) {
		buf_printf(text, "{'path':'%s','pathType':'%s','backend':", PICK_TEXT(dice, paths),
			PICK_TEXT(dice, types));
		add_backend(dice, text, namespace);
		buf_append_str(text, n > 1 ? "}," : "}");
	}
	buf_append_str(text, "]}}");
}

static inline void add_tls(struct dice *dice, struct buf *text)
{
	static const char *const hosts[] = {"'a.test'", "'a.test','b.test'", "'*.a.test','a.test'",
		"'*.a.test'", "'c.a.test'", "'c.a.test'", "'BAD','a.test'", "", "''"};
	static const char *const secrets[] = {
		"t0", "t1", "t2", "t3", "t4", "t5", "t0", "t1", "t2", "missing", "../x", ""};

	buf_append_str(text, "'tls':[");
	for (unsigned n = pick(dice, 3); n > 0; n--) {
		buf_printf(text, "{'hosts':[%s],'secretName':'%s'}%s", PICK_TEXT(dice, hosts),
			PICK_TEXT(dice, secrets), n > 1 ? "," : "");
	}
	buf_append_str(text, "],");
}

static inline void put_ingress(struct dice *dice)
{
	static const char *const classes[] = {"'c0'", "'c0'", "'c0'", "'c1'", "'c2'", "null"};
	static const char *const annotations[] = {"'a':'b'", "'c':'d'",
		"'kubernetes.io/ingress.class':'c0'", "'kubernetes.io/ingress.class':'c1'",
		"'headgate.dev/ssl-redirect':'false'",
		"'haproxy.org/ssl-redirect':'true','kubernetes.io/ingress.class':'c0'",
		"'haproxy.org/ssl-redirect':'maybe'", "'haproxy.org/allow-list':'10.0.0.0/99'",
		"'haproxy.org/allow-list':'10.0.0.0/8,2001:db8::/32,2001:db8::1'",
		"'haproxy.org/deny-list':'10.0.0.0/8,2001:db8::/32,2001:db8::1'",
		"'haproxy.org/deny-list':'','haproxy.org/set-host':'h.test'",
		"'headgate.dev/auth-url':'http://s0.n0.svc/a'",
		"'headgate.dev/auth-url':'http://s1.n1.svc.cluster.local:81/b'",
		"'headgate.dev/auth-url':'http://x.test:81/c'", "'headgate.dev/auth-url':''",
		"'headgate.dev/deny-paths':'/a,/b'", "'headgate.dev/deny-paths':'a'",
		"'headgate.dev/canary-service':'s0:80','headgate.dev/canary-weight':'20'",
		"'headgate.dev/canary-service':'s1:web','headgate.dev/canary-by-cookie':'c'",
		("'headgate.dev/canary-service':'s1:81','headgate.dev/canary-by-header':'h',"
		 "'headgate.dev/canary-by-header-value':'v'"),
		"'headgate.dev/canary-service':'s2:80'", "'headgate.dev/canary-weight':'1'",
		("'haproxy.org/rate-limit-requests':'5',"
		 "'haproxy.org/rate-limit-whitelist':'10.1.0.0/16'"),
		"'haproxy.org/allow-list':'patterns/a'", "'haproxy.org/deny-list':'patterns/b'",
		("'haproxy.org/rate-limit-requests':'5',"
		 "'haproxy.org/rate-limit-whitelist':'patterns/a'"),
		"'haproxy.org/auth-type':'basic-auth','haproxy.org/auth-secret':'t0'",
		"'haproxy.org/auth-type':'basic-auth','haproxy.org/auth-secret':'t1'",
		"'haproxy.org/auth-secret':'n1/t1'", "'haproxy.org/auth-type':'basic-auth'"};
	unsigned i = pick(dice, N_INGRESSES);
	unsigned namespace = i % N_NAMESPACES;
	struct buf spec = BUF_INIT(0);

	buf_printf(&spec, "'ingressClassName':%s,", PICK_TEXT(dice, classes));
	if (one_in(dice, 3)) {
		buf_append_str(&spec, "'defaultBackend':");
		add_backend(dice, &spec, namespace);
		buf_append_char(&spec, ',');
	}
	if (one_in(dice, 2)) {
		add_tls(dice, &spec);
	}
	buf_append_str(&spec, "'rules':[");
	for (unsigned n = pick(dice, 4); n > 0; n--) {
		add_rule(dice, &spec, namespace);
		buf_append_str(&spec, n > 1 ? "," : "");
	}
	testing_put(dice->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'n%u','name':'i%u','creationTimestamp':'2024-01-01T00:00:"
		"0%uZ','annotations':{%s%s}},"
		"'spec':{%s]}}",
		namespace, i, pick(dice, 3), PICK_TEXT(dice, annotations), pick_variant(dice),
		buf_str(&spec));
	buf_fini(&spec);
}

/* Contents for Secrets, made once: ECDSA certificates, two of RSA, one of them for a name under a
 * wildcard of the others, each lasting longer than the one before, and what can't be used. */
#define N_CONTENTS 7

static inline const char *secret_content(unsigned i)
{
	static const char *const names[] = {"DNS:a.test,DNS:*.a.test", "DNS:b.test",
		"DNS:a.test,DNS:b.test", "DNS:*.test", "DNS:a.test", NULL, "DNS:c.a.test"};
	static char *contents[N_CONTENTS];

	if (contents[0] != NULL) {
		return contents[i];
	}
	for (int j = 0; j < N_CONTENTS; j++) {
		if (names[j] == NULL) {
			contents[j] = xstrdup("'tls.crt':'','tls.key':'bm8='");
			continue;
		}
		EVP_PKEY *key = j == 2 || j == 6 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
		contents[j] = testing_secret_data(&(struct testing_cert){.common_name = "x",
			.names = names[j],
			.key = key,
			.from_seconds = -1000,
			.to_seconds = 1000 * (j + 1)});
		EVP_PKEY_free(key);
	}
	return contents[i];
}

/* Some are expired at one time and not at another, or not valid yet. */
static inline int64_t pick_time(struct dice *dice)
{
	return TESTING_NOW + (one_in(dice, 4) ? (int)pick(dice, 9) * 1000 - 2000 : 0);
}

static inline void put_secret(struct dice *dice)
{
	unsigned i = pick(dice, N_SECRETS);
	/* Users are joe, and joe with another hash; or none that can be used. */
	static const char *const users[] = {"'joe':'e1NIQX01ZW42RzZNZXpScm9UM1hLcWtkUE9tWS9CZlE9'",
		"'joe':'e1NIQX0zT3B0bk0wOUlMb1ZTZmJadGQzbUIwSVZpSUk9','x':'eA=='", "'x':'eA=='"};
	bool has_users = i < 3 && one_in(dice, 2);
	CLEANUP(free_ptr)
	char *text = xasprintf(
		"{'metadata':{'namespace':'n%u','name':'t%u'},'type':'%s','data':{%s}"
		"}",
		i % N_NAMESPACES, i, has_users || one_in(dice, 12) ? "Opaque" : SECRET_TYPE_TLS,
		has_users ? PICK_TEXT(dice, users) : secret_content(pick(dice, N_CONTENTS)));
	struct object *object = testing_object(KUBE_SECRET, text);
	struct object *judged = secret_judge((const struct secret *)object, pick_time(dice));

	if (judged != NULL) {
		object_free(object);
		object = judged;
	}
	store_put(dice->store, object);
}

static inline void put_class(struct dice *dice)
{
	static const char *const controllers[] = {"ours", "ours", "theirs"};
	static const char *const defaults[] = {"true", "false"};
	static const char *const parameters[] = {"null", "{'kind':'ConfigMap','name':'m0'}",
		"{'kind':'ConfigMap','name':'m1','scope':'Namespace','namespace':'n0'}",
		"{'kind':'ConfigMap','name':'m1','scope':'Namespace','namespace':'n1'}"};

	testing_put(dice->store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'c%u','creationTimestamp':'2024-01-01T00:00:0%uZ',"
		"'annotations':{'ingressclass.kubernetes.io/is-default-class':'%s'}},"
		"'spec':{'controller':'%s','parameters':%s}}",
		pick(dice, N_CLASSES), pick(dice, 2), PICK_TEXT(dice, defaults),
		PICK_TEXT(dice, controllers), PICK_TEXT(dice, parameters));
}

static inline void put_config_map(struct dice *dice)
{
	static const char *const data[] = {"", "'ssl-redirect':'true'", "'ssl-redirect':'false'",
		"'ssl-redirect':'no'", "'x':'y'", "'deny-list':'10.0.0.0/8'",
		"'timeout-server':'7s','deny-list':'10.9.0.0/16'",
		"'auth-type':'basic-auth','auth-secret':'n1/t1'", "'auth-secret':'t0'",
		"'auth-url':'http://s0.n0.svc/class'", "'ssl-certificate':'t1'",
		"'ssl-certificate':'n1/t0','default-backend-service':'n1/s1'",
		"'default-backend-service':'n0/s1:80'", "'default-backend-service':'s1'",
		"'log-format':'json'", "'client-ca':'n0/t0','timeout-client':'9s'",
		"'prometheus-endpoint-auth-secret':'n0/t1'",
		"'prometheus-endpoint-auth-secret':'n1/t0','client-ca':'n1/t0'",
		"'client-ca':'n 0/t0'",
		"'client-ca':'n1/t1','ssl-redirect':'true','ssl-certificate':'n1/t1'",
		"'404':'HTTP/1.1 404 x\\n\\n'", "'404':'HTTP/1.1 404 y\\n\\n','client-ca':'n0/t0'",
		"'404':'no','503':'HTTP/1.1 503 x\\n\\n'", "'a':'10.1.0.0/16','b':'no'",
		"'a':'10.2.0.0/16\\n2001:db8::1','deny-list':'patterns/a'", "'a':''",
		"'b':'10.0.0.0/8'", "'90':'n0/s0:80','91':'n1/s1:80:ssl'", "'90':'n1/s1:80'",
		"'90':'n0/s1:http','91':'n0/s1:80','8080':'n0/s0:80'",
		"'90':'n0/s1:http:ssl','log-format-tcp':'%ci'"};

	testing_put(dice->store, KUBE_CONFIG_MAP,
		"{'metadata':{'namespace':'n0','name':'m%u'},'data':{%s}}", pick(dice, N_MAPS),
		PICK_TEXT(dice, data));
}

static inline void remove_one(struct dice *dice, enum kube_kind kind)
{
	size_t n = store_count(dice->store, kind);
	uint32_t position = 0;

	if (n == 0) {
		return;
	}
	const struct object *object = store_next(dice->store, kind, &position);
	for (unsigned skip = pick(dice, (unsigned)n); skip > 0; skip--) {
		object = store_next(dice->store, kind, &position);
	}
	store_remove(dice->store, kind, object_namespace(object), object_name(object));
}

/* A list that has most of what is there. */
static inline void relist(struct dice *dice, enum kube_kind kind)
{
	size_t n = store_count(dice->store, kind);
	struct object **copies = xcalloc(n, sizeof(*copies));
	const struct object *object;
	uint32_t position = 0;

	for (size_t i = 0; i < n; i++) {
		object = store_next(dice->store, kind, &position);
		copies[i] = xmalloc(object->size);
		memcpy(copies[i], object, object->size);
	}
	store_begin_list(dice->store, kind);
	for (size_t i = 0; i < n; i++) {
		if (one_in(dice, 8)) {
			free(copies[i]);
		} else {
			store_put(dice->store, copies[i]);
		}
	}
	store_end_list(dice->store, kind);
	free(copies);
}

static inline void happen(struct dice *dice)
{
	static const enum kube_kind kinds[] = {KUBE_INGRESS, KUBE_SERVICE, KUBE_ENDPOINT_SLICE,
		KUBE_INGRESS_CLASS, KUBE_CONFIG_MAP, KUBE_SECRET};

	switch (pick(dice, 20)) {
	case 0:
	case 1:
	case 2:
	case 3:
		put_ingress(dice);
		break;
	case 4:
	case 5:
	case 6:
		put_service(dice);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		put_slice(dice);
		break;
	case 11:
		put_class(dice);
		break;
	case 16:
		put_config_map(dice);
		break;
	case 17:
	case 18:
		put_secret(dice);
		break;
	case 19:
		expiry_look(dice->store, pick_time(dice));
		break;
	case 12:
		relist(dice, kinds[pick(dice, ARRAY_LEN(kinds))]);
		break;
	default:
		remove_one(dice, kinds[pick(dice, ARRAY_LEN(kinds))]);
		break;
	}
}

#endif
