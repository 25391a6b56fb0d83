{{/* What the schema can't say: values that don't fit each other. Each check fails with the values, and what to do. */}}
{{- define "headgate.checks" -}}
{{- include "headgate.checkPorts" . -}}
{{- include "headgate.checkMaps" . -}}
{{- if .Values.controller.watchNamespaces -}}
{{- include "headgate.checkNamespaces" . -}}
{{- end -}}
{{- end }}

{{/* The controller and HAProxy share the pod's addresses, so all ports of containers differ; so do those of a Service and of a node. */}}
{{- define "headgate.checkPorts" -}}
{{- $pod := dict -}}
{{- range $name, $port := .Values.controller.containerPort -}}
{{- $_ := set $pod (printf "controller.containerPort.%s" $name) $port -}}
{{- end -}}
{{- if .Values.haproxy.stats.tlsSecret -}}
{{- $_ := set $pod "haproxy.stats.tlsPort" .Values.haproxy.stats.tlsPort -}}
{{- end -}}
{{- $service := dict -}}
{{- range $name, $port := .Values.controller.service.ports -}}
{{- $_ := set $service (printf "controller.service.ports.%s" $name) $port -}}
{{- end -}}
{{- $nodes := dict "controller.service.healthCheckNodePort" .Values.controller.service.healthCheckNodePort -}}
{{- range $name, $port := .Values.controller.service.nodePorts -}}
{{- $_ := set $nodes (printf "controller.service.nodePorts.%s" $name) $port -}}
{{- end -}}
{{- $host := dict -}}
{{- range $name, $port := .Values.controller.daemonset.hostPorts -}}
{{- $_ := set $host (printf "controller.daemonset.hostPorts.%s" $name) $port -}}
{{- end -}}
{{- $names := dict -}}
{{- range .Values.controller.service.tcpPorts -}}
{{- if hasKey $names .name -}}
{{- fail (printf "controller.service.tcpPorts: two are called %s: give one of them another name" .name) -}}
{{- end -}}
{{- $_ := set $names .name true -}}
{{- $_ := set $pod (printf "the target of controller.service.tcpPorts %s" .name) (.targetPort | default .port) -}}
{{- $_ := set $service (printf "controller.service.tcpPorts %s" .name) .port -}}
{{- if $.Values.controller.daemonset.useHostPort -}}
{{- $_ := set $host (printf "controller.service.tcpPorts %s" .name) .port -}}
{{- end -}}
{{- $name := .name -}}
{{- with .nodePort -}}
{{- $_ := set $nodes (printf "controller.service.tcpPorts %s, nodePort" $name) . -}}
{{- end -}}
{{- end -}}
{{- range $group := .Values.controller.service.enabled | ternary (list $pod $host $service $nodes) (list $pod $host) -}}
{{- $seen := dict -}}
{{- range $name, $port := $group -}}
{{- $key := $port | int | toString -}}
{{- with get $seen $key -}}
{{- fail (printf "%s and %s are both %s: give one of them another port" . $name $key) -}}
{{- end -}}
{{- if ne $key "0" -}}
{{- $_ := set $seen $key $name -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* NAMESPACE of --FLAG=NAMESPACE/… among controller.extraArgs; empty where there is none. */}}
{{- define "headgate.namespaceOfFlag" -}}
{{- $start := printf "--%s=" .flag -}}
{{- range .context.Values.controller.extraArgs -}}
{{- if hasPrefix $start . -}}
{{- trimPrefix $start . | splitList "/" | first -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "headgate.checkMaps" -}}
{{- range $flag := list "configmap-errorfiles" "configmap-patternfiles" "configmap-tcp-services" -}}
{{- $namespace := include "headgate.namespaceOfFlag" (dict "context" $ "flag" $flag) -}}
{{- if and $namespace (ne $namespace $.Release.Namespace) -}}
{{- fail (printf "controller.extraArgs: --%s: ConfigMaps are read in namespace %s only, not in %s: move it there" $flag $.Release.Namespace $namespace) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
What the operator names has to be where the controller looks. The default certificate is looked for in its own namespace, too, which a
ClusterRole allows.
*/}}
{{- define "headgate.checkNamespaces" -}}
{{- $own := .Release.Namespace -}}
{{- $named := dict -}}
{{- $config := .Values.controller.config -}}
{{- range $key := list "auth-secret" "client-ca" "default-backend-service" "prometheus-endpoint-auth-secret" "server-ca" "server-crt" "ssl-certificate" -}}
{{- with get $config $key -}}
{{- $_ := set $named (printf "controller.config.%s" $key) (contains "/" . | ternary (splitList "/" . | first) $own) -}}
{{- end -}}
{{- end -}}
{{- with regexFind "(?i)^https?://[^/.:]+[.][^/.:]+[.]svc([.]cluster[.]local)?([:/?]|$)" (get $config "auth-url" | toString) -}}
{{- $_ := set $named "controller.config.auth-url" (index (splitList "." .) 1) -}}
{{- end -}}
{{- range $flag := list "default-backend" "default-certificate" "publish-service" -}}
{{- with include "headgate.namespaceOfFlag" (dict "context" $ "flag" $flag) -}}
{{- $_ := set $named (printf "controller.extraArgs: --%s" $flag) . -}}
{{- end -}}
{{- end -}}
{{- with include "headgate.publishService" . -}}
{{- $_ := set $named "controller.publishService" (splitList "/" . | first) -}}
{{- end -}}
{{- with .Values.controller.defaultTLSSecret -}}
{{- if .secret -}}
{{- $_ := set $named "controller.defaultTLSSecret" (.secretNamespace | default $own) -}}
{{- end -}}
{{- end -}}
{{- if not .Values.rbac.namespaced -}}
{{- $named = omit $named "controller.config.ssl-certificate" "controller.extraArgs: --default-certificate" "controller.defaultTLSSecret" -}}
{{- end -}}
{{- range $name, $namespace := $named -}}
{{- if not (has $namespace $.Values.controller.watchNamespaces) -}}
{{- $otherwise := eq $name "controller.publishService" | ternary ", or set controller.publishService.enabled to false" "" -}}
{{- fail (printf "%s: namespace %s is not in controller.watchNamespaces, so what it names there is not seen: add the namespace%s" $name $namespace $otherwise) -}}
{{- end -}}
{{- end -}}
{{- end }}
