package apistub

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
)

// maxBody is more than Headgate ever sends.
const maxBody = 64 << 10

// write answers what is asked of one object: Get, Create or Patch.
func (s *Stub) write(c *call) {
	var sent map[string]any
	if c.verb != Get {
		body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
		if err == nil {
			err = json.Unmarshal(body, &sent)
		}
		if err != nil {
			writeStatus(c.w, http.StatusBadRequest, "BadRequest", err.Error())
			return
		}
	}
	s.mu.Lock()
	text, code, reason := s.change(c, sent)
	s.mu.Unlock()
	if reason != "" {
		writeStatus(c.w, code, reason, "apistub: "+c.r.URL.Path)
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(code)
	_, _ = c.w.Write(text)
}

// change is the object after the request, or why there is none.
func (s *Stub) change(c *call, sent map[string]any) (text []byte, code int, reason string) {
	if c.verb == Create {
		return s.create(c, sent)
	}
	old := s.store.objects[c.kind][c.namespace+"/"+c.name]
	if old == nil {
		return nil, http.StatusNotFound, "NotFound"
	}
	if c.verb == Get {
		return old.text, http.StatusOK, ""
	}
	metadata, _ := sent["metadata"].(map[string]any)
	if version, ok := metadata["resourceVersion"]; ok && version != old.version.String() {
		return nil, http.StatusConflict, "Conflict"
	}
	delete(metadata, "resourceVersion")
	if c.subresource != "" {
		sent = map[string]any{c.subresource: sent[c.subresource]}
	}
	made, content, err := read(old.text)
	if err != nil {
		return nil, http.StatusInternalServerError, "InternalError"
	}
	_, before, _ := read(old.text)
	mergePatch(content, sent)
	// What changes nothing makes no version and no event.
	if reflect.DeepEqual(before, content) {
		return old.text, http.StatusOK, ""
	}
	s.put(made, content)
	return made.text, http.StatusOK, ""
}

func (s *Stub) create(c *call, sent map[string]any) (text []byte, code int, reason string) {
	metadata, ok := sent["metadata"].(map[string]any)
	if !ok {
		return nil, http.StatusBadRequest, "BadRequest"
	}
	metadata["namespace"] = c.namespace
	raw, _ := json.Marshal(sent)
	made, content, err := read(raw)
	if err != nil || made.kind != c.kind || made.name == "" {
		return nil, http.StatusUnprocessableEntity, "Invalid"
	}
	if s.store.objects[made.kind][made.key()] != nil {
		return nil, http.StatusConflict, "AlreadyExists"
	}
	s.put(made, content)
	return made.text, http.StatusCreated, ""
}

// mergePatch is RFC 7386 for objects.
func mergePatch(content, patch map[string]any) {
	for name, value := range patch {
		inner, isObject := value.(map[string]any)
		switch have, hadObject := content[name].(map[string]any); {
		case value == nil:
			delete(content, name)
		case isObject && hadObject:
			mergePatch(have, inner)
		case isObject:
			have = map[string]any{}
			mergePatch(have, inner)
			content[name] = have
		default:
			content[name] = value
		}
	}
}

// Object is an object as it is now, nil when there is none.
func (s *Stub) Object(kind Kind, namespace, name string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.store.objects[kind][namespace+"/"+name]
	if o == nil {
		return nil
	}
	content := map[string]any{}
	_ = json.Unmarshal(o.text, &content)
	return content
}

// Versions is how many versions of an object there have been.
func (s *Stub) Versions(kind Kind, namespace, name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.store.history[kind] {
		if e.object.namespace == namespace && e.object.name == name {
			n++
		}
	}
	return n
}

// All is all objects of a kind.
func (s *Stub) All(kind Kind) []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []map[string]any
	for _, o := range s.store.objects[kind] {
		content := map[string]any{}
		_ = json.Unmarshal(o.text, &content)
		all = append(all, content)
	}
	return all
}
