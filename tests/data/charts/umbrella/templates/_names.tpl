{{- define "umbrella.name" -}}{{ .Release.Name }}-umbrella{{- end -}}
