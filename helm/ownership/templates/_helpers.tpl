{{- define "ownership.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* No longer than 40 letters, so that whatever is put behind it fits into the 63 of a name. */}}
{{- define "ownership.fullname" -}}
{{- $name := include "ownership.name" . -}}
{{- $both := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{ default $both .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* What pods of a component are found by: (list $ COMPONENT). */}}
{{- define "ownership.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "ownership.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- /* The labels of everything: (list $ COMPONENT). */}}
{{- define "ownership.labels" -}}
{{- $root := index . 0 -}}
{{ include "ownership.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* The metadata of an object: (list $ COMPONENT SUFFIX-OF-ITS-NAME ANNOTATIONS), and further labels if there are any. */}}
{{- define "ownership.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "ownership.fullname" $root }}{{ index . 2 }}
labels:
  {{- include "ownership.labels" (list $root (index . 1)) | nindent 2 }}
{{- range slice . 4 }}
{{- with . }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with merge (dict) (index . 3) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "ownership.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "ownership.fullname" .) "default") }}
{{- end }}

{{- /* What every container of ours begins with. */}}
{{- define "ownership.container" -}}
{{- with .Values.image -}}
image: {{ .repository }}{{ .digest | empty | ternary (printf ":%s" (.tag | default $.Chart.AppVersion)) (printf "@%s" .digest) }}
imagePullPolicy: {{ .pullPolicy }}
{{- end }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{- /* What every pod of ours begins with: none of them talks to the cluster. */}}
{{- define "ownership.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- end }}

{{- /* Where pods may run. */}}
{{- define "ownership.placement" -}}
{{- range $key := list "nodeSelector" "affinity" "tolerations" "priorityClassName" "runtimeClassName" }}
{{- with index $.Values $key }}
{{ toYaml (dict $key .) }}
{{- end }}
{{- end }}
{{- end }}
