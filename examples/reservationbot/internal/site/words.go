// SPDX-License-Identifier: MIT

package site

import (
	"fmt"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
)

// word returns the text of the page for the key, or the key itself.
func word(lang talk.Lang, key string, args ...any) string {
	both, ok := words[key]
	if !ok {
		return key
	}
	return say(lang, both[0], both[1], args...)
}

// say returns one of two texts, with the arguments in it.
func say(lang talk.Lang, english, spanish string, args ...any) string {
	return fmt.Sprintf(lang.Of([2]string{english, spanish}), args...)
}

var weekdays = map[talk.Lang][7]string{
	talk.English: {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
	talk.Spanish: {"dom", "lun", "mar", "mié", "jue", "vie", "sáb"},
}

// words are the texts that are chosen by what happens, in English and Spanish. The
// others are in page.html.
var words = map[string][2]string{
	"unsent.400": {"Not done: a name of 1 to 64 characters and a choice or a text are needed.", "No hecho: hace falta un nombre de 1 a 64 caracteres y una opción o un texto."},
	"unsent.404": {"Not done: there is no such conversation.", "No hecho: no existe esa conversación."},
	"unsent.409": {"Not done: a storm is on already.", "No hecho: ya hay una avalancha."},
	"unsent.413": {"Not sent: longer than 16 KiB.", "No enviado: más de 16 KiB."},
	"unsent.422": {"Not done: the trail has no row yet. Book a room first.", "No hecho: el rastro aún no tiene filas. Reserve antes una habitación."},
	"unsent.500": {"Not certain: the audit database does not answer.", "No es seguro: la base de auditoría no responde."},
	"unsent.502": {"Not certain: the hotel’s system does not answer.", "No es seguro: el sistema del hotel no responde."},
	"unsent.503": {"Not done: Redis does not answer.", "No hecho: Redis no responde."},

	"state.closed":      {"closed", "cerrado"},
	"state.open":        {"open", "abierto"},
	"state.half_open":   {"half-open", "entreabierto"},
	"state.forced_open": {"held open", "abierto a mano"},
	"state.disabled":    {"disabled", "desactivado"},
	"means.closed":      {"Calls to the hotel’s system pass.", "Las llamadas al sistema del hotel pasan."},
	"means.open":        {"The system is left alone; guests are answered at once.", "El sistema descansa; al huésped se le responde al instante."},
	"means.half_open":   {"Send a message: it is the probe.", "Envíe un mensaje: es la prueba."},
	"means.forced_open": {"It was opened by hand.", "Se abrió a mano."},
	"means.disabled":    {"Everything passes.", "Todo pasa."},

	"switch.pms":     {"Hotel’s system (PMS)", "Sistema del hotel (PMS)"},
	"switch.audit":   {"Audit database", "Base de auditoría"},
	"switch.redis":   {"Redis", "Redis"},
	"switch.cleanup": {"Session cleanup", "Limpieza de sesiones"},
	"switch.trail":   {"A sealed row of the trail", "Una fila sellada del rastro"},
	"expect.pms":     {"Not healthy: holds are kept. Three failures open the breaker; then answers come at once.", "Si no está sano, lo guardado se conserva. Tres fallos abren el cortacircuitos; luego se responde al instante."},
	"expect.audit":   {"Down: bookings go on. Events wait and are written later.", "Caída: se sigue reservando. Los sucesos esperan y se escriben luego."},
	"expect.redis":   {"Down: without locks nothing is booked. The desk still answers.", "Caída: sin cerrojos no se reserva nada. La recepción aún responde."},
	"expect.cleanup": {"Stopped: expired conversations stay until it runs again.", "Parada: las conversaciones vencidas quedan hasta que vuelva."},
	"expect.trail":   {"Changed: the newest row is edited by SQL, behind the library’s back. Verify names it. As sealed: it is put back.", "Cambiada: la fila más nueva se edita con SQL, a espaldas de la biblioteca. Verify la nombra. Como se selló: se repone."},
	"mode.healthy":   {"healthy", "sano"},
	"mode.slow":      {"slow", "lento"},
	"mode.failing":   {"failing", "fallando"},
	"mode.hanging":   {"hanging", "colgado"},
	"mode.lossy":     {"answers get lost", "pierde respuestas"},
	"mode.up":        {"up", "activa"},
	"mode.down":      {"down", "caída"},
	"mode.running":   {"running", "en marcha"},
	"mode.stopped":   {"stopped", "parada"},
	"mode.sealed":    {"as sealed", "como se selló"},
	"mode.changed":   {"changed", "cambiada"},

	"ended.idle":           {"idle", "inactivas"},
	"ended.absolute":       {"too old", "demasiado viejas"},
	"ended.corrupted":      {"corrupted", "corruptas"},
	"ended.invalid_format": {"of invalid format", "de formato inválido"},
	"ended.vanished":       {"vanished", "desaparecidas"},

	"ended.deleted": {"deleted", "borradas"},
	"ended.evicted": {"evicted", "desalojadas"},
	"ended.rotated": {"renamed", "renombradas"},

	"chart.messages":  {"messages", "mensajes"},
	"chart.answer":    {"answer time", "respuesta"},
	"chart.pmsCalls":  {"PMS calls", "al PMS"},
	"chart.pmsTime":   {"PMS time", "tiempo del PMS"},
	"chart.fallbacks": {"fallbacks", "alternativas"},
	"chart.conflicts": {"lock conflicts", "conflictos"},
	"chart.held":      {"locks held", "cerrojos"},
	"chart.queue":     {"audit queue", "en espera"},

	"severity.critical": {"critical", "críticas"},
	"severity.info":     {"info", "información"},
	"severity.warning":  {"warning", "avisos"},

	"intent.book":         {"book", "reservar"},
	"intent.hold":         {"hold", "guardar"},
	"intent.extend":       {"extend", "ampliar"},
	"intent.cancel":       {"cancel", "cancelar"},
	"intent.availability": {"availability", "disponibilidad"},
	"intent.list":         {"own bookings", "reservas propias"},
	"intent.house":        {"about the house", "sobre la casa"},
	"intent.yes":          {"yes", "sí"},
	"intent.no":           {"no", "no"},
	"intent.help":         {"help", "ayuda"},
	"intent.unknown":      {"not understood", "sin entender"},
	"lock.acquired":       {"acquired", "tomado"},
	"lock.conflict":       {"conflict", "conflicto"},
	"lock.extended":       {"extended", "ampliado"},
	"lock.max_reached":    {"limit reached", "límite alcanzado"},
	"lock.released":       {"released", "liberado"},
	"lock.lost":           {"lost", "perdido"},
	"lock.expired":        {"expired", "vencido"},
	"lock.force_released": {"taken away", "retirado"},
}
