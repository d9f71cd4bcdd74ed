{{- /* `ownership migrate` with the URL of a role that may change the schema, and the files that it may name: used by the Job and by the init container. */}}
{{- define "ownership.migrate" -}}
name: migrate
{{ include "ownership.container" . }}
args: [migrate]
env:
  - {name: OWNERSHIP__DATABASE__URL_FILE, value: /etc/ownership/migration/url}
resources:
  {{- toYaml .Values.migrations.resources | nindent 2 }}
volumeMounts:
  - {name: migration, mountPath: /etc/ownership/migration, readOnly: true}
  {{- $names := list }}
  {{- range .Values.extraVolumes }}{{ $names = append $names .name }}{{ end }}
  {{- range .Values.extraVolumeMounts }}
  {{- if has .name $names }}
  - {{ toYaml . | nindent 4 | trim }}
  {{- end }}
  {{- end }}
{{- end }}

{{- define "ownership.migrate.volume" -}}
{{- $from := .Values.migrations.existingSecret | empty | ternary .Values.database .Values.migrations -}}
name: migration
secret:
  secretName: {{ $from.existingSecret }}
  defaultMode: 0440
  items: [{key: {{ $from.secretKey }}, path: url}]
{{- end }}

{{- define "ownership.migration.pod" -}}
restartPolicy: Never
{{ include "ownership.pod" . }}
{{- include "ownership.placement" . }}
containers:
  - {{ include "ownership.migrate" . | nindent 4 | trim }}
volumes:
  - {{ include "ownership.migrate.volume" . | nindent 4 | trim }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
