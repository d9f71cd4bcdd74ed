{{- /* The files of the service: its configuration, and what Secrets hold. A changed Secret is seen within a minute; the chart itself never reads one. */}}
{{- define "ownership.secrets" -}}
{{- with .Values }}
{{- if eq .database.engine "postgres" }}
database: {secret: {{ .database.existingSecret }}, files: { {{- .database.secretKey }}: url}}
{{- end }}
{{- if .events.existingSecret }}
events: {secret: {{ .events.existingSecret }}, files: { {{- .events.credentialsKey }}: nats.creds}}
{{- end }}
{{- if .events.tlsSecret }}
events-tls: {secret: {{ .events.tlsSecret }}, files: {tls.crt: tls.crt, tls.key: tls.key, ca.crt: ca.crt}}
{{- end }}
{{- if .tls.enabled }}
tls: {secret: {{ .tls.existingSecret }}, files: {tls.crt: tls.crt, tls.key: tls.key}}
{{- end }}
{{- if .tls.clientCASecret }}
client-ca: {secret: {{ .tls.clientCASecret }}, files: { {{- .tls.clientCAKey }}: ca.crt}}
{{- end }}
{{- if .auth.jwt.keysSecret }}
jwt: {secret: {{ .auth.jwt.keysSecret }}, files: { {{- .auth.jwt.keysSecretKey }}: keys.json}}
{{- end }}
{{- end }}
{{- end }}

{{- define "ownership.volumes" -}}
- name: config
  configMap: {name: {{ include "ownership.fullname" . }}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if eq .Values.database.engine "sqlite" }}
- name: data
  {{- if .Values.persistence.enabled }}
  persistentVolumeClaim: {claimName: {{ .Values.persistence.existingClaim | default (include "ownership.fullname" .) }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ .Values.persistence.size }}}
  {{- end }}
{{- end }}
{{- range $name, $from := include "ownership.secrets" . | fromYaml }}
- name: {{ $name }}
  secret:
    secretName: {{ $from.secret }}
    defaultMode: 0440
    items:
      {{- range $key, $path := $from.files }}
      - {key: {{ $key }}, path: {{ $path }}}
      {{- end }}
{{- end }}
{{- end }}

{{- define "ownership.mounts" -}}
- {name: config, mountPath: /etc/ownership/config, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if eq .Values.database.engine "sqlite" }}
- {name: data, mountPath: /var/lib/ownership}
{{- end }}
{{- range $name, $_ := include "ownership.secrets" . | fromYaml }}
- {name: {{ $name }}, mountPath: /etc/ownership/{{ $name }}, readOnly: true}
{{- end }}
{{- end }}
