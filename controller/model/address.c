/* See address.h. */
#include "model/address.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"

struct range {
	unsigned char prefix[sizeof(struct in6_addr)];
	unsigned bits;
	enum address_kind kind;
};

/* The first one that fits decides. */
static const struct range ipv4_ranges[] = {
	{{0}, 8, ADDRESS_FORBIDDEN},
	{{127}, 8, ADDRESS_LOOPBACK},
	{{169, 254}, 16, ADDRESS_FORBIDDEN},
	{{224}, 3, ADDRESS_FORBIDDEN},
	{{0}, 0, ADDRESS_ORDINARY},
};

static const struct range ipv6_ranges[] = {
	{{0}, 128, ADDRESS_FORBIDDEN},
	{{[15] = 1}, 128, ADDRESS_LOOPBACK},
	{{0xfe, 0x80}, 10, ADDRESS_FORBIDDEN},
	{{0xff}, 8, ADDRESS_FORBIDDEN},
	{{0}, 0, ADDRESS_ORDINARY},
};

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_in(const unsigned char *address, const struct range *range)
{
	unsigned whole = range->bits / 8;
	unsigned rest = range->bits % 8;
	unsigned char mask = (unsigned char)(0xff00u >> rest);

	return memcmp(address, range->prefix, whole) == 0 &&
	       (rest == 0 || ((address[whole] ^ range->prefix[whole]) & mask) == 0);
}

static enum address_kind kind_of(const unsigned char *address, const struct range *ranges)
{
	while (!is_in(address, ranges)) {
		ranges++;
	}
	return ranges->kind;
}

struct address address_parse(const char *ip, int32_t port)
{
	unsigned char binary[sizeof(struct in6_addr)];
	char canonical[INET6_ADDRSTRLEN];
	struct address address = {ADDRESS_NONE, false, ""};

	if (inet_pton(AF_INET, ip, binary) == 1) {
		inet_ntop(AF_INET, binary, canonical, sizeof(canonical));
		snprintf(address.text, sizeof(address.text), "%s:%" PRId32, canonical, port);
		address.kind = kind_of(binary, ipv4_ranges);
	} else if (inet_pton(AF_INET6, ip, binary) == 1) {
		inet_ntop(AF_INET6, binary, canonical, sizeof(canonical));
		snprintf(address.text, sizeof(address.text), "[%s]:%" PRId32, canonical, port);
		address.is_ipv6 = true;
		address.kind = memcmp(binary, mapped_prefix, sizeof(mapped_prefix)) == 0
				       ? kind_of(binary + sizeof(mapped_prefix), ipv4_ranges)
				       : kind_of(binary, ipv6_ranges);
	}
	return address;
}
