{{- define "headgate.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* What everything is called: the release, with the chart's name in it. */}}
{{- define "headgate.fullname" -}}
{{- $name := include "headgate.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "headgate.account" -}}
{{ .Values.serviceAccount.name | default (include "headgate.fullname" .) }}
{{- end }}

{{- define "headgate.selector" -}}
app.kubernetes.io/name: {{ include "headgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "headgate.labels" -}}
{{ include "headgate.selector" . }}
app.kubernetes.io/version: {{ .Values.controller.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
{{- with .Values.controller.extraLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "headgate.image" -}}
{{- with .Values.controller.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Two releases have different classes, and so different names of controllers. */}}
{{- define "headgate.controllerName" -}}
{{- $class := .Values.controller.ingressClassResource.name -}}
{{- $default := eq $class "headgate" | ternary "headgate.dev/ingress-controller" (printf "headgate.dev/%s" $class) -}}
{{ .Values.controller.controllerName | default $default }}
{{- end }}

{{/* The rules of deploy/rbac/headgate.yaml of one kind, as they stand there. */}}
{{- define "headgate.rules" -}}
{{- range splitList "\n---\n" (.context.Files.Get "rbac.yaml") -}}
{{- if eq (fromYaml .).kind $.kind -}}
{{- splitList "\nrules:\n" . | last | trimSuffix "\n" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The Service whose addresses are published; empty: none, as where there is no Service of ours and no other is named. */}}
{{- define "headgate.publishService" -}}
{{- $own := .Values.controller.service.enabled | ternary (printf "%s/%s" .Release.Namespace (include "headgate.fullname" .)) "" -}}
{{- if .Values.controller.publishService.enabled -}}
{{ .Values.controller.publishService.pathOverride | default $own }}
{{- end -}}
{{- end }}

{{- define "headgate.gracePeriod" -}}
{{- $needed := add .Values.controller.drainDelaySeconds .Values.controller.drainTimeoutSeconds 20 -}}
{{- $wanted := .Values.controller.terminationGracePeriodSeconds | default $needed | int64 -}}
{{- if lt $wanted $needed -}}
{{- fail (printf "controller.terminationGracePeriodSeconds: at least %d, with drainDelaySeconds and drainTimeoutSeconds as they are" $needed) -}}
{{- end -}}
{{ $wanted }}
{{- end }}

{{- define "headgate.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
