{{- /* The configuration of the service as TOML. What belongs to the cluster comes from the values of that name, the rest from `config`. */}}
{{- define "ownership.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- range $section, $keys := include "ownership.config.cluster" . | fromYaml -}}
{{- $_ := set $config $section (merge (dict) (default dict (get $config $section)) $keys) -}}
{{- end -}}
{{- range $section, $keys := $config }}
[{{ $section }}]
{{- range $key, $value := $keys }}
{{ $key }} = {{ include "ownership.toml" $value }}
{{- end }}
{{ end }}
{{- end }}

{{- /* The keys that follow from other values, by section. */}}
{{- define "ownership.config.cluster" -}}
server:
  listen: "{{ .Values.listenAddress }}:50051"
  drain_delay: {{ .Values.drain.delaySeconds }}s
  drain: {{ .Values.drain.seconds }}s
  {{- if .Values.development }}
  allow_insecure: true
  {{- end }}
  {{- with .Values.tls }}
  {{- if .enabled }}
  tls:
    certificate_file: /etc/ownership/tls/tls.crt
    key_file: /etc/ownership/tls/tls.key
    {{- if .clientCASecret }}
    client_ca_file: /etc/ownership/client-ca/ca.crt
    {{- end }}
  {{- end }}
  {{- end }}
admin:
  listen: "{{ .Values.listenAddress }}:9464"
database:
  {{- if eq .Values.database.engine "sqlite" }}
  url: sqlite:/var/lib/ownership/ownership.db
  {{- else }}
  url_file: /etc/ownership/database/url
  {{- end }}
memory:
  budget_bytes: {{ include "ownership.budget" . }}
{{- with .Values.events }}
{{- if .url }}
events:
  url: {{ .url | quote }}
  {{- if .existingSecret }}
  credentials_file: /etc/ownership/events/nats.creds
  {{- end }}
  {{- if .tlsSecret }}
  ca_file: /etc/ownership/events-tls/ca.crt
  client_certificate_file: /etc/ownership/events-tls/tls.crt
  client_key_file: /etc/ownership/events-tls/tls.key
  {{- end }}
{{- end }}
{{- end }}
telemetry:
  log_format: json
{{- if not .Values.development }}
auth:
  {{- range $key := list "services" "admins" }}
  {{- with index $.Values.auth $key }}
  {{ $key }}: {{ join "," . | quote }}
  {{- end }}
  {{- end }}
  {{- with .Values.auth.jwt }}
  {{- if .issuer }}
  jwt:
    issuer: {{ .issuer | quote }}
    audience: {{ .audience | quote }}
    {{- with .algorithms }}
    algorithms: {{ join "," . | quote }}
    {{- end }}
    {{- if .keysUrl }}
    keys_url: {{ .keysUrl | quote }}
    {{- else }}
    keys_file: /etc/ownership/jwt/keys.json
    {{- end }}
  {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* Half of the memory limit, in bytes. The schema lets only whole Mi and Gi through. */}}
{{- define "ownership.budget" -}}
{{- $limit := .Values.resources.limits.memory -}}
{{- $half := hasSuffix "Gi" $limit | ternary 536870912 524288 -}}
{{ mul $half (regexFind "[0-9]+" $limit) }}
{{- end }}

{{- /* A value as TOML. toToml would write whole numbers as 5.36870912e+08. */}}
{{- define "ownership.toml" -}}
{{- if kindIs "map" . -}}
{{- $pairs := list -}}
{{- range $key, $value := . }}{{ $pairs = append $pairs (printf "%s = %s" $key (include "ownership.toml" $value)) }}{{ end -}}
{ {{- join ", " $pairs | printf " %s " -}} }
{{- else if or (kindIs "string" .) (kindIs "bool" .) -}}
{{ toJson . }}
{{- else -}}
{{ int64 . }}
{{- end -}}
{{- end }}
