package conformance

// pathRows are about paths and their types: sections "Path types", "Examples" and
// "Multiple matches", and the fields of HTTPIngressPath.
var pathRows = []Row{
	{
		Place: "Path types", Says: "a path without a type is refused",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: no-type
spec:
  rules:
    - http:
        paths:
          - path: /
            backend:
              service:
                name: service1
                port:
                  number: 80`,
		Refused: "pathType must be specified",
	},
	{
		Place: "Path types", Says: "there are three types",
		Objects: `
			ingress fourth-type
			  type.test Regex / service1:80`,
		Refused: "Unsupported value: \"Regex\"",
	},
	{
		Place: "Path types: Exact", Says: "the path exactly, and upper and lower case differ",
		Objects: `
			ingress exact
			  exact.test Exact /Foo service1:80`,
		Requests: `
			GET http://exact.test/Foo -> service1
			GET http://exact.test/foo -> 404
			GET http://exact.test/FOO -> 404
			GET http://exact.test/Foo/bar -> 404
			GET http://exact.test/ -> 404`,
	},
	{
		Place: "Path types: Prefix", Says: "element by element, and upper and lower case differ",
		Objects: `
			ingress prefix
			  prefix.test Prefix /foo/Bar service1:80`,
		Requests: `
			GET http://prefix.test/foo/Bar -> service1
			GET http://prefix.test/foo/Bar/ -> service1
			GET http://prefix.test/foo/Bar/baz/qux -> service1
			GET http://prefix.test/foo/bar -> 404
			GET http://prefix.test/FOO/Bar -> 404
			GET http://prefix.test/foo -> 404
			GET http://prefix.test/x/foo/Bar -> 404`,
	},
	{
		Place: "Path types: Prefix, note", Says: "/foo/bar is for /foo/bar/baz and not for /foo/barbaz",
		Objects: `
			ingress note
			  note.test Prefix /foo/bar service1:80`,
		Requests: `
			GET http://note.test/foo/bar/baz -> service1
			GET http://note.test/foo/barbaz -> 404
			GET http://note.test/foo/bar.html -> 404
			GET http://note.test/foo/bar-baz -> 404`,
	},
	{
		Place: "Path types: ImplementationSpecific", Says: "left open; decided: as Prefix",
		Objects: `
			ingress specific
			  specific.test ImplementationSpecific /foo service1:80`,
		Requests: `
			GET http://specific.test/foo -> service1
			GET http://specific.test/foo/ -> service1
			GET http://specific.test/foo/bar -> service1
			GET http://specific.test/foobar -> 404
			GET http://specific.test/ -> 404`,
	},
	{
		Place: "Path types: ImplementationSpecific", Says: "its path may be left out: then it is every path",
		Objects: `
			ingress specific
			  specific.test ImplementationSpecific - service1:80`,
		Requests: `
			GET http://specific.test/ -> service1
			GET http://specific.test/any/thing -> service1`,
	},
	{
		Place: "Examples, row 1", Says: "Prefix / is for all paths",
		Objects: `
			ingress row
			  row1.test Prefix / service1:80`,
		Requests: `
			GET http://row1.test/ -> service1
			GET http://row1.test/foo -> service1
			GET http://row1.test//foo -> service1
			GET http://row1.test/foo/../bar -> service1
			GET http://row1.test/?query -> service1
			GET http://row1.test/%2e%2e/x -> service1
			OPTIONS http://row1.test/ target=/x;y=z -> service1`,
	},
	{
		Place: "Examples, rows 2 to 4", Says: "Exact /foo is for /foo, not for /bar, not for /foo/",
		Objects: `
			ingress row
			  row2.test Exact /foo service1:80`,
		Requests: `
			GET http://row2.test/foo -> service1
			GET http://row2.test/bar -> 404
			GET http://row2.test/foo/ -> 404`,
	},
	{
		Place: "Examples, row 5", Says: "Exact /foo/ is not for /foo",
		Objects: `
			ingress row
			  row5.test Exact /foo/ service1:80`,
		Requests: `
			GET http://row5.test/foo/ -> service1
			GET http://row5.test/foo -> 404`,
	},
	{
		Place: "Examples, row 6", Says: "Prefix /foo is for /foo and /foo/",
		Objects: `
			ingress row
			  row6.test Prefix /foo service1:80`,
		Requests: `
			GET http://row6.test/foo -> service1
			GET http://row6.test/foo/ -> service1`,
	},
	{
		Place: "Examples, row 7", Says: "Prefix /foo/ is for /foo and /foo/",
		Objects: `
			ingress row
			  row7.test Prefix /foo/ service1:80`,
		Requests: `
			GET http://row7.test/foo -> service1
			GET http://row7.test/foo/ -> service1
			GET http://row7.test/foo/bar -> service1
			GET http://row7.test/foobar -> 404`,
	},
	{
		Place: "Examples, row 8", Says: "Prefix /aaa/bb is not for /aaa/bbb",
		Objects: `
			ingress row
			  row8.test Prefix /aaa/bb service1:80`,
		Requests: `
			GET http://row8.test/aaa/bb -> service1
			GET http://row8.test/aaa/bbb -> 404`,
	},
	{
		Place: "Examples, rows 9, 11, 12 and 13", Says: "Prefix /aaa/bbb: itself, with a slash, below, and no string prefix",
		Objects: `
			ingress row
			  row9.test Prefix /aaa/bbb service1:80`,
		Requests: `
			GET http://row9.test/aaa/bbb -> service1
			GET http://row9.test/aaa/bbb/ -> service1
			GET http://row9.test/aaa/bbb/ccc -> service1
			GET http://row9.test/aaa/bbbxyz -> 404`,
	},
	{
		Place: "Examples, row 10", Says: "Prefix /aaa/bbb/ is for /aaa/bbb: the slash at the end is ignored",
		Objects: `
			ingress row
			  row10.test Prefix /aaa/bbb/ service1:80`,
		Requests: `
			GET http://row10.test/aaa/bbb -> service1`,
	},
	{
		Place: "Examples, row 14", Says: "of / and /aaa, /aaa is for /aaa/ccc",
		Objects: `
			ingress row
			  row14.test Prefix / service1:80
			  row14.test Prefix /aaa service2:80`,
		Requests: `
			GET http://row14.test/aaa/ccc -> service2
			GET http://row14.test/aaa -> service2
			GET http://row14.test/aaaccc -> service1`,
	},
	{
		Place: "Examples, rows 15 and 16", Says: "of /, /aaa and /aaa/bbb, the longest that fits",
		Objects: `
			ingress row
			  row15.test Prefix / service1:80
			  row15.test Prefix /aaa service2:80
			  row15.test Prefix /aaa/bbb service3:80`,
		Requests: `
			GET http://row15.test/aaa/bbb -> service3
			GET http://row15.test/aaa/bbb/ccc -> service3
			GET http://row15.test/aaa/bbbb -> service2
			GET http://row15.test/ccc -> service1
			GET http://row15.test/ -> service1`,
	},
	{
		Place: "Examples, row 17", Says: "what Prefix /aaa is not for goes to the default backend",
		Objects: `
			ingress row
			  default service4:80
			  row17.test Prefix /aaa service1:80`,
		Requests: `
			GET http://row17.test/aaa -> service1
			GET http://row17.test/ccc -> service4`,
	},
	{
		Place: "Examples, row 18", Says: "of /foo as Prefix and as Exact, Exact",
		Objects: `
			ingress row
			  row18.test Prefix /foo service1:80
			  row18.test Exact /foo service2:80`,
		Requests: `
			GET http://row18.test/foo -> service2
			GET http://row18.test/foo/ -> service1
			GET http://row18.test/foo/bar -> service1`,
	},
	{
		Place: "Multiple matches", Says: "the longest path first, in whatever order the rules are",
		Objects: `
			ingress longest
			  longest.test Prefix /a/b/c service3:80
			  longest.test Prefix /a service1:80
			  longest.test Prefix /a/b service2:80`,
		Requests: `
			GET http://longest.test/a -> service1
			GET http://longest.test/a/x -> service1
			GET http://longest.test/a/b -> service2
			GET http://longest.test/a/b/x -> service2
			GET http://longest.test/a/b/c -> service3
			GET http://longest.test/a/b/c/d -> service3`,
	},
	{
		Place: "Multiple matches", Says: "and in whatever object they are",
		Objects: `
			ingress longest-1
			  longest.test Prefix /a service1:80
			ingress longest-2
			  longest.test Prefix /a/b service2:80
			ingress longest-3
			  longest.test Exact /a/b service3:80`,
		Requests: `
			GET http://longest.test/a/x -> service1
			GET http://longest.test/a/b/x -> service2
			GET http://longest.test/a/b -> service3`,
	},
	{
		Place: "Multiple matches", Says: "the same path twice: Exact before Prefix, in whatever order",
		Objects: `
			ingress equal
			  equal.test Exact /x service1:80
			  equal.test Prefix /x service2:80
			  equal.test Exact /y/ service1:80
			  equal.test Prefix /y/ service2:80`,
		Requests: `
			GET http://equal.test/x -> service1
			GET http://equal.test/x/ -> service2
			GET http://equal.test/y/ -> service1
			GET http://equal.test/y -> service2
			GET http://equal.test/y/z -> service2`,
	},
	{
		Place: "Multiple matches", Says: "ImplementationSpecific, which is Prefix here, comes after Exact, too",
		Objects: `
			ingress mixed
			  mixed.test ImplementationSpecific /x service1:80
			  mixed.test Exact /x service2:80`,
		Requests: `
			GET http://mixed.test/x -> service2
			GET http://mixed.test/x/y -> service1`,
	},
	{
		Place: "API PathTypePrefix, example 3", Says: "/foo and /foo/ are both for /foo and /foo/",
		Objects: `
			ingress one
			  one.test Prefix /foo service1:80
			ingress two
			  two.test Prefix /foo/ service2:80`,
		Requests: `
			GET http://one.test/foo -> service1
			GET http://one.test/foo/ -> service1
			GET http://two.test/foo -> service2
			GET http://two.test/foo/ -> service2`,
	},
	{
		Place: "API HTTPIngressPath.path", Says: "matched against the path of a request: the query is not of it",
		Objects: `
			ingress query
			  query.test Exact /a service1:80
			  query.test Prefix /b service2:80`,
		Requests: `
			GET http://query.test/a?x=1 -> service1
			GET http://query.test/a?/b -> service1
			GET http://query.test/b?x=/a -> service2
			GET http://query.test/b/c?x -> service2
			GET http://query.test/?/a -> 404`,
	},
	{
		Place: "API HTTPIngressPath.path", Says: "left open; decided: byte by byte, nothing is decoded or cleaned, as the pod will see it",
		Objects: `
			ingress bytes
			  bytes.test Exact /a%20b service1:80
			  bytes.test Prefix /p service2:80
			  bytes.test Exact /tilde~ service1:80`,
		Requests: `
			GET http://bytes.test/a%20b -> service1
			GET http://bytes.test/%61%20b -> 404
			GET http://bytes.test/p%2Fq -> 404
			GET http://bytes.test/p//q -> service2
			GET http://bytes.test//p -> 404
			GET http://bytes.test/x/../p -> 404
			GET http://bytes.test/tilde~ -> service1
			GET http://bytes.test/tilde%7E -> 404`,
	},
	{
		Place: "API HTTPIngressPath.path", Says: "a path may have any character that a URL's path has",
		Objects: `
			ingress chars
			  chars.test Exact /a-._~!$&'()*+,;=:@z service1:80`,
		Requests: `
			GET http://chars.test/a-._~!$&'()*+,;=:@z -> service1`,
	},
	{
		Place: "API HTTPIngressPath.path", Says: "may hold what no URL has: no request asks for it, and its neighbours are served",
		Objects: `
			ingress odd
			  odd.test Prefix /a"b{} service1:80
			  odd.test Prefix /good service2:80`,
		Requests: `
			GET http://odd.test/good -> service2
			GET http://odd.test/a -> 404`,
	},
	{
		Place: "API HTTPIngressPath.path", Says: "begins with a slash",
		Objects: `
			ingress relative
			  relative.test Prefix foo service1:80`,
		Refused: "must be an absolute path",
	},
	{
		Place: "API HTTPIngressPath.path", Says: "is there for Exact",
		Objects: `
			ingress absent
			  absent.test Exact - service1:80`,
		Refused: "must be an absolute path",
	},
	{
		Place: "API HTTPIngressPath.path", Says: "is there for Prefix",
		Objects: `
			ingress absent
			  absent.test Prefix - service1:80`,
		Refused: "must be an absolute path",
	},
	{
		Place: "API HTTPIngressPath.path", Says: "has no empty element, for Exact and Prefix",
		Objects: `
			ingress double
			  double.test Prefix /a//b service1:80`,
		Refused: "must not contain '//'",
	},
	{
		Place: "API HTTPIngressPath.path", Says: "climbs nowhere, for Exact and Prefix",
		Objects: `
			ingress climbing
			  climbing.test Exact /a/../b service1:80`,
		Refused: "must not contain '/../'",
	},
}
