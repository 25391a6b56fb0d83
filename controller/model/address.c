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

/* Of IPv6 addresses whose last four bytes are an IPv4 address. */
static const unsigned char embedding_prefixes[][12] = {
	{[10] = 0xff, [11] = 0xff}, /* ::ffff:0:0/96: mapped */
	{0x00, 0x64, 0xff, 0x9b},   /* 64:ff9b::/96: NAT64 */
};

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

static enum address_kind kind_of_ipv6(const unsigned char *address)
{
	for (size_t i = 0; i < ARRAY_LEN(embedding_prefixes); i++) {
		const size_t size = sizeof(embedding_prefixes[i]);
		if (memcmp(address, embedding_prefixes[i], size) == 0) {
			return kind_of(address + size, ipv4_ranges);
		}
	}
	return kind_of(address, ipv6_ranges);
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
		address.kind = kind_of_ipv6(binary);
	}
	return address;
}
