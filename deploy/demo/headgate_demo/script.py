"""What is asked for, what is changed, and which answers are right: the words to the manifests beside."""

from .client import Answer, Request
from .manifests import Manifests

NOT_FOUND = Answer(404, "")


def pods(*names):
    return {Answer(200, name) for name in names}


SHOP = Request("shop.example.com")
API = Request("shop.example.com", "/api/items")
BLOG = Request("blog.example.com")
NEWS = Request("news.example.com")

# Request, the answers that are right in the beginning, what it shows.
ROUTES = (
    (SHOP, pods("shop-1", "shop-2"), "a host"),
    (API, pods("api-1"), "the same host, path /api"),
    (Request("shop.example.com", "/apis"), pods("shop-1", "shop-2"), "not /api: elements are whole"),
    (BLOG, pods("blog-1"), "another host"),
    (Request("alice.apps.example.com"), pods("apps-1"), "*.apps.example.com"),
    (Request("bob.apps.example.com", "/any/path"), pods("apps-1"), "*.apps.example.com"),
    (Request("apps.example.com"), {NOT_FOUND}, "a wildcard needs a label ..."),
    (Request("a.b.apps.example.com"), {NOT_FOUND}, "... and only one"),
    (NEWS, {NOT_FOUND}, "nobody's host, so far"),
)

# What is done, with which file, the request that sees it, the answers that are right afterwards.
CHANGES = (
    ("swap blog's endpoint", Manifests.put, "blog-pods.yaml", BLOG, pods("blog-2")),
    ("scale api from 1 pod to 5", Manifests.put, "api-pods.yaml", API, pods(*(f"api-{n}" for n in range(1, 6)))),
    ("add news, with a new host", Manifests.put, "news.yaml", NEWS, pods("news-1")),
    ("remove news", Manifests.remove, "news.yaml", NEWS, {NOT_FOUND}),
)
