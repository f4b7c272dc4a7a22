{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}

{{- define "meshpulse.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "meshpulse.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "meshpulse.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "meshpulse.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "meshpulse.selector" -}}
app.kubernetes.io/name: {{ include "meshpulse.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "meshpulse.labels" -}}
{{ include "meshpulse.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "meshpulse.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "meshpulse.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "meshpulse.image" -}}
{{- with .Values.image -}}
{{- .repository -}}:{{- default $.Chart.AppVersion .tag -}}
{{- with .digest }}@{{ . }}{{ end -}}
{{- end -}}
{{- end -}}

{{- /* The files of redis.password and redis.tls, as setting: path. */ -}}
{{- define "meshpulse.redisFiles" -}}
{{- if .Values.redis.password.existingSecret }}
password_file: /etc/meshpulse/redis/password
{{- end }}
{{- with .Values.redis.tls }}
{{- if and .existingSecret .caKey }}
ca_file: /etc/meshpulse/redis/ca.crt
{{- end }}
{{- if and .existingSecret .certKey }}
cert_file: /etc/meshpulse/redis/tls.crt
{{- end }}
{{- if and .existingSecret .keyKey }}
key_file: /etc/meshpulse/redis/tls.key
{{- end }}
{{- end }}
{{- end -}}

{{- /* What goes into meshpulse.yaml: `config`, and `redis` as a part of its section "stream". */ -}}
{{- define "meshpulse.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if ($config.node).id -}}
{{- fail "config.node.id: leave it out; each daemon is called after its node" -}}
{{- end -}}
{{- range list "url" "user" "password_file" "ca_file" "cert_file" "key_file" -}}
{{- if hasKey ($config.stream | default dict) . -}}
{{- fail (printf "config.stream.%s: leave it out; it is made from the value \"redis\"" .) -}}
{{- end -}}
{{- end -}}
{{- $redis := include "meshpulse.redisFiles" . | fromYaml -}}
{{- $_ := set $redis "url" (required "redis.url is required, such as redis://redis.example.svc:6379 (memory: for a trial without Redis)" .Values.redis.url) -}}
{{- if and .Values.redis.tls.existingSecret (hasPrefix "redis://" .Values.redis.url) -}}
{{- fail "redis.tls: is for a redis.url of rediss://" -}}
{{- end -}}
{{- with .Values.redis.user -}}
{{- $_ := set $redis "user" . -}}
{{- end -}}
{{- $_ := set $config "stream" (merge $redis ($config.stream | default dict)) -}}
config_version: 1
{{ toYaml $config }}
{{- end -}}

{{- define "meshpulse.probePort" -}}
{{- required "config.admin.probe_listen: the probes need it, such as 0.0.0.0:9811" (.Values.config.admin.probe_listen | toString | regexFind "[0-9]+$") -}}
{{- end -}}

{{- /* What the volume "meshpulse-config" holds: all that the daemon reads.  Takes root, mode. */ -}}
{{- define "meshpulse.configVolume" -}}
projected:
  defaultMode: {{ .mode }}
  sources:
    - configMap:
        name: {{ include "meshpulse.fullname" .root }}
{{- with .root.Values.redis.password }}
{{- if .existingSecret }}
    - secret:
        name: {{ .existingSecret }}
        items:
          - {key: {{ .key | quote }}, path: redis/password}
{{- end }}
{{- end }}
{{- with .root.Values.redis.tls }}
{{- if .existingSecret }}
    - secret:
        name: {{ .existingSecret }}
        items:
{{- /* Without items all keys would be mounted. */}}
{{- if not (or .caKey .certKey .keyKey) }}
{{- fail "redis.tls: caKey, certKey and keyKey are all empty; which key of the Secret is meant?" }}
{{- end }}
{{- with .caKey }}
          - {key: {{ . | quote }}, path: redis/ca.crt}
{{- end }}
{{- with .certKey }}
          - {key: {{ . | quote }}, path: redis/tls.crt}
{{- end }}
{{- with .keyKey }}
          - {key: {{ . | quote }}, path: redis/tls.key}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The daemon's container.  Takes root, id (the field that names the node), startupPath. */ -}}
{{- define "meshpulse.container" -}}
{{- $values := .root.Values -}}
image: {{ include "meshpulse.image" .root | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
args: [serve, -c, /etc/meshpulse/meshpulse.yaml]
env:
  - name: MESHPULSE_NODE_ID
    valueFrom: {fieldRef: {fieldPath: {{ .id }}}}
{{- range $setting, $label := dict "region" "topology.kubernetes.io/region" "zone" "topology.kubernetes.io/zone" }}
{{- if not (dig "node" $setting "" $values.config) }}
  - name: MESHPULSE_NODE_{{ upper $setting }}
    valueFrom: {fieldRef: {fieldPath: "metadata.labels['{{ $label }}']"}}
{{- end }}
{{- end }}
ports:
  - {name: probes, containerPort: {{ include "meshpulse.probePort" .root }}}
startupProbe:
  httpGet: {path: {{ .startupPath }}, port: probes}
  {{- toYaml .startupProbe | nindent 2 }}
livenessProbe:
  httpGet: {path: /livez, port: probes}
  {{- toYaml $values.livenessProbe | nindent 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: probes}
  {{- toYaml $values.readinessProbe | nindent 2 }}
{{- with $values.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml $values.securityContext | nindent 2 }}
volumeMounts:
  - {name: meshpulse-config, mountPath: /etc/meshpulse, readOnly: true}
  - {name: meshpulse-run, mountPath: /run/meshpulse}
{{- with $values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
