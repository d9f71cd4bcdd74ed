{{- /* What values bring along that would take the place of what the chart has: a sentence on each line. */}}
{{- define "ownership.collisions" -}}
{{- $set := list "POD_NAME" "OTEL_RESOURCE_ATTRIBUTES" }}
{{- $decided := "^OWNERSHIP__(SERVER__(LISTEN|ALLOW_INSECURE|DRAIN|DRAIN_DELAY|TLS__[A-Z_]+_FILE)|ADMIN__[A-Z_]+|DATABASE__URL|AUTH__(SERVICES|ADMINS)|AUTH__JWT__(ISSUER|AUDIENCE|ALGORITHMS|KEYS_FILE|KEYS_URL)|EVENTS__(URL|[A-Z_]+_FILE))(_FILE)?$" }}
{{- range .Values.extraEnv }}
{{- if has .name $set }}
extraEnv: {{ .name }} is set already
{{- else if regexMatch $decided .name }}
extraEnv: {{ .name }} follows from other values of the chart: set those
{{- else if and .value (regexMatch "(PASSWORD|SECRET|TOKEN)$" .name) }}
extraEnv: {{ .name }} is a secret. Take it from a Secret by valueFrom
{{- end }}
{{- $set = append $set .name }}
{{- end }}
{{- $files := include "ownership.secrets" . | fromYaml | keys }}
{{- $set = concat (list "config" "tmp" "data" "migration") $files }}
{{- range .Values.extraVolumes }}
{{- if has .name $set }}
extraVolumes: there is a volume {{ .name }} already
{{- end }}
{{- $set = append $set .name }}
{{- end }}
{{- $volumes := $set }}
{{- $set = list "/tmp" "/var/lib/ownership" "/etc/ownership" "/etc/ownership/config" "/etc/ownership/migration" }}
{{- range $files }}{{ $set = append $set (printf "/etc/ownership/%s" .) }}{{ end }}
{{- range .Values.extraVolumeMounts }}
{{- if not (has .name $volumes) }}
extraVolumeMounts: there is no volume {{ .name }}
{{- end }}
{{- if has (trimSuffix "/" .mountPath) $set }}
extraVolumeMounts: something is mounted at {{ .mountPath }} already
{{- end }}
{{- $set = append $set (trimSuffix "/" .mountPath) }}
{{- end }}
{{- $set = list "ownership" "migrate" }}
{{- range concat .Values.extraInitContainers .Values.extraContainers }}
{{- if has .name $set }}
extraContainers, extraInitContainers: there is a container {{ .name }} already
{{- end }}
{{- $set = append $set .name }}
{{- end }}
{{- $set = include "ownership.labels" (list . "server") | fromYaml | keys }}
{{- range $key, $labels := dict "podLabels" .Values.podLabels "metrics.serviceMonitor.labels" .Values.metrics.serviceMonitor.labels "metrics.podMonitor.labels" .Values.metrics.podMonitor.labels "metrics.prometheusRule.labels" .Values.metrics.prometheusRule.labels "metrics.dashboard.label" (dict .Values.metrics.dashboard.label "") }}
{{- range $label, $_ := $labels }}
{{- if has $label $set }}
{{ $key }}: there is a label {{ $label }} already, by the chart or by commonLabels
{{- end }}
{{- end }}
{{- end }}
{{- range $label, $_ := .Values.commonLabels }}
{{- if or (hasPrefix "app.kubernetes.io/" $label) (eq $label "helm.sh/chart") }}
commonLabels: {{ $label }} is for the chart, which finds its pods by it
{{- end }}
{{- end }}
{{- if hasKey .Values.podAnnotations "checksum/config" }}
podAnnotations: checksum/config is for the chart, which restarts pods by it
{{- end }}
{{- end }}
