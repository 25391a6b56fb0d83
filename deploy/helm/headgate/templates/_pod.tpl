{{- define "headgate.pod" -}}
metadata:
  labels:
    {{- include "headgate.labels" . | nindent 4 }}
    {{- with .Values.controller.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.controller.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "headgate.account" . }}
  # The token is mounted by hand, into one container.
  automountServiceAccountToken: false
  # Variables that begin with HEADGATE_ are options; a Service called headgate must not make some.
  enableServiceLinks: false
  # The delay, the time that requests have to end, and some seconds for what doesn't.
  terminationGracePeriodSeconds: {{ include "headgate.gracePeriod" . }}
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ .Values.controller.runAsUser }}
    runAsGroup: {{ .Values.controller.runAsUser }}
    seccompProfile:
      type: RuntimeDefault
  {{- with .Values.controller.existingImagePullSecret }}
  imagePullSecrets:
    - name: {{ . }}
  {{- end }}
  {{- with .Values.controller.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.controller.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.controller.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.controller.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if eq .Values.controller.kind "Deployment" }}
  topologySpreadConstraints:
    {{- if .Values.controller.topologySpreadConstraints }}
    {{- toYaml .Values.controller.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "headgate.selector" . | nindent 10 }}
    {{- end }}
  {{- end }}
  initContainers:
    # What HAProxy starts from, when there is nothing yet.
    - name: init
      image: {{ include "headgate.image" . }}
      imagePullPolicy: {{ .Values.controller.image.pullPolicy }}
      args: [init]
      securityContext:
        {{- include "headgate.security" . | nindent 8 }}
      volumeMounts:
        - name: state
          mountPath: /var/lib/headgate
  containers:
    - {{ include "headgate.controller" . | indent 6 | trim }}
    - {{ include "headgate.haproxy" . | indent 6 | trim }}
  volumes:
    # Routes, certificates and keys, as HAProxy last had them. In memory, so that no key is on a disk.
    - name: state
      emptyDir:
        medium: Memory
        sizeLimit: {{ .Values.controller.stateSizeLimit }}
    # HAProxy's two sockets.
    - name: run
      emptyDir:
        medium: Memory
        sizeLimit: 1Mi
    - name: token
      projected:
        sources:
          - serviceAccountToken:
              path: token
              expirationSeconds: 3607
          - configMap:
              name: kube-root-ca.crt
              items:
                - key: ca.crt
                  path: ca.crt
          - downwardAPI:
              items:
                - path: namespace
                  fieldRef:
                    fieldPath: metadata.namespace
    {{- with .Values.haproxy.stats.tlsSecret }}
    - name: stats
      secret:
        secretName: {{ . }}
    {{- end }}
{{- end }}

{{- define "headgate.controller" -}}
name: controller
image: {{ include "headgate.image" . }}
imagePullPolicy: {{ .Values.controller.image.pullPolicy }}
args:
  - run
  - --controller-name={{ include "headgate.controllerName" . }}
  {{- with .Values.controller.ingressClass }}
  - --ingress-class={{ . }}
  {{- end }}
  - --configmap={{ .Release.Namespace }}/{{ include "headgate.fullname" . }}
  - --lease={{ .Release.Namespace }}/{{ include "headgate.fullname" . }}-leader
  {{- with include "headgate.publishService" . }}
  - --publish-service={{ . }}
  {{- end }}
  {{- with .Values.controller.watchNamespaces }}
  - --watch-namespace={{ join "," . }}
  {{- end }}
  {{- with .Values.controller.ingressSelector }}
  - --ingress-selector={{ . }}
  {{- end }}
  {{- with .Values.controller.defaultTLSSecret.secret }}
  - --default-certificate={{ $.Values.controller.defaultTLSSecret.secretNamespace | default $.Release.Namespace }}/{{ . }}
  {{- end }}
  {{- if .Values.controller.service.tcpPorts }}
  # What no TCP service can have.
  {{- include "headgate.binds" . | trim | nindent 2 }}
  {{- end }}
  - --admin-bind=:{{ .Values.controller.containerPort.admin }}
  # As long as requests still come, what changes has to reach HAProxy.
  - --drain-delay={{ .Values.controller.drainDelaySeconds }}
  - --log-level={{ .Values.controller.logging.level }}
  - --log-format={{ .Values.controller.logging.format }}
  {{- with .Values.controller.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.controller.extraEnvs }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: admin
    containerPort: {{ .Values.controller.containerPort.admin }}
livenessProbe:
  httpGet:
    path: /healthz
    port: admin
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
# Ready when HAProxy has the routes: an update waits for it before it ends an old pod.
readinessProbe:
  httpGet:
    path: /readyz
    port: admin
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 5
securityContext:
  {{- include "headgate.security" . | nindent 2 }}
resources:
  {{- toYaml .Values.controller.resources | nindent 2 }}
volumeMounts:
  - name: state
    mountPath: /var/lib/headgate
  - name: run
    mountPath: /run/headgate
  - name: token
    mountPath: /var/run/secrets/kubernetes.io/serviceaccount
    readOnly: true
{{- end }}

{{- define "headgate.bind" -}}
{{- $port := last . -}}
:{{ $port }}{{ if (first .).Values.haproxy.ipv6 }},[::]:{{ $port }}{{ end }}
{{- end }}

{{- define "headgate.binds" -}}
{{- range $flag, $port := dict "http" .Values.controller.containerPort.http "https" .Values.controller.containerPort.https "stats" .Values.controller.containerPort.stat }}
- {{ printf "--%s-bind=" $flag }}{{ include "headgate.bind" (list $ $port) }}
{{- end }}
{{- end }}

{{- define "headgate.haproxy" -}}
name: haproxy
image: {{ include "headgate.image" . }}
imagePullPolicy: {{ .Values.controller.image.pullPolicy }}
args:
  - haproxy
  {{- include "headgate.binds" . | trim | nindent 2 }}
  # Load balancers go on sending requests for some seconds after they were told not to.
  - --drain-delay={{ .Values.controller.drainDelaySeconds }}
  - --drain-timeout={{ .Values.controller.drainTimeoutSeconds }}
  - --log-level={{ .Values.controller.logging.level }}
  - --log-format={{ .Values.controller.logging.format }}
  {{- if .Values.haproxy.stats.tlsSecret }}
  - --stats-tls-bind={{ include "headgate.bind" (list $ .Values.haproxy.stats.tlsPort) }}
  - --stats-certificate=/etc/headgate/stats/tls.crt
  {{- end }}
  {{- with .Values.haproxy.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if or .Values.haproxy.extraEnvs .Values.haproxy.stats.userSecret.name }}
env:
  {{- with .Values.haproxy.stats.userSecret }}
  {{- if .name }}
  - name: HEADGATE_STATS_USER
    valueFrom:
      secretKeyRef:
        name: {{ .name }}
        key: {{ .key }}
  {{- end }}
  {{- end }}
  {{- with .Values.haproxy.extraEnvs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
ports:
  {{- range $name := list "http" "https" }}
  - name: {{ $name }}
    containerPort: {{ get $.Values.controller.containerPort $name }}
    {{- if and (eq $.Values.controller.kind "DaemonSet") $.Values.controller.daemonset.useHostPort }}
    hostPort: {{ get $.Values.controller.daemonset.hostPorts $name }}
    {{- end }}
  {{- end }}
  {{- range .Values.controller.service.tcpPorts }}
  - name: {{ .name }}-tcp
    containerPort: {{ .targetPort | default .port }}
    {{- if and (eq $.Values.controller.kind "DaemonSet") $.Values.controller.daemonset.useHostPort }}
    hostPort: {{ .port }}
    {{- end }}
  {{- end }}
  - name: stat
    containerPort: {{ .Values.controller.containerPort.stat }}
  {{- if .Values.haproxy.stats.tlsSecret }}
  - name: stat-tls
    containerPort: {{ .Values.haproxy.stats.tlsPort }}
  {{- end }}
livenessProbe:
  httpGet:
    path: /healthz
    port: stat
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /readyz
    port: stat
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 5
securityContext:
  {{- include "headgate.security" . | nindent 2 }}
resources:
  {{- toYaml .Values.haproxy.resources | nindent 2 }}
volumeMounts:
  - name: state
    mountPath: /var/lib/headgate
    readOnly: true
  - name: run
    mountPath: /run/headgate
  {{- if .Values.haproxy.stats.tlsSecret }}
  - name: stats
    mountPath: /etc/headgate/stats
    readOnly: true
  {{- end }}
{{- end }}
