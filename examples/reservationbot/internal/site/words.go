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
	if len(args) == 0 {
		return lang.Of(both)
	}
	return fmt.Sprintf(lang.Of(both), args...)
}

var weekdays = map[talk.Lang][7]string{
	talk.English: {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
	talk.Spanish: {"dom", "lun", "mar", "mié", "jue", "vie", "sáb"},
}

// chips are suggestions of what to say.
var chips = map[talk.Lang][]string{
	talk.English: {"hold room 101 for 2 nights from friday", "book", "extend", "cancel", "which rooms are free from friday to sunday"},
	talk.Spanish: {"guardar la habitación 101 por 2 noches desde viernes", "reservar", "ampliar", "cancelar", "habitaciones libres del viernes al domingo"},
}

// words are English and Spanish.
var words = map[string][2]string{
	"title":    {"holdfast: a Go library of resilience primitives", "holdfast: una biblioteca de Go con primitivas de resiliencia"},
	"headline": {"a Go library of resilience primitives", "una biblioteca de Go con primitivas de resiliencia"},
	"lead": {"Circuit breakers, locks, sessions, an audit trail and metrics. This hotel desk is built with them: try to make it sell a night twice.",
		"Cortacircuitos, cerrojos, sesiones, un rastro de auditoría y métricas. Con ella está hecha esta recepción: intente que venda dos veces una noche."},
	"nav":      {"You, and the language", "Usted y el idioma"},
	"skip":     {"Skip to the chat", "Ir al chat"},
	"other":    {"Español", "English"},
	"youAre":   {"You are", "Usted es"},
	"switchTo": {"be", "sea"},
	"live":     {"live", "en vivo"},
	"away":     {"reconnecting", "reconectando"},

	"step.storm": {"Let a thousand in", "Deje entrar a mil"},
	"step.break": {"Break the hotel", "Rompa el hotel"},
	"step.book":  {"Book anyway", "Reserve de todos modos"},

	"age.was":   {"No answer. As it was", "Sin respuesta. Así era hace"},
	"age.ago":   {"ago.", "."},
	"age.never": {"No answer. Unknown.", "Sin respuesta. Se desconoce."},
	"unknown":   {"unknown", "se desconoce"},

	"unsent.0":   {"Not sent: this page’s server does not answer.", "No enviado: el servidor de esta página no responde."},
	"unsent.400": {"Not done: a name of 1 to 64 characters and a choice or a text are needed.", "No hecho: hace falta un nombre de 1 a 64 caracteres y una opción o un texto."},
	"unsent.404": {"Not done: there is no such conversation.", "No hecho: no existe esa conversación."},
	"unsent.409": {"Not done: a storm is on already.", "No hecho: ya hay una avalancha."},
	"unsent.413": {"Not sent: longer than 16 KiB.", "No enviado: más de 16 KiB."},
	"unsent.422": {"Not done: the trail has no row yet. Book a room first.", "No hecho: el rastro aún no tiene filas. Reserve antes una habitación."},
	"unsent.500": {"Not certain: the audit database does not answer.", "No es seguro: la base de auditoría no responde."},
	"unsent.502": {"Not certain: the hotel’s system does not answer.", "No es seguro: el sistema del hotel no responde."},
	"unsent.503": {"Not done: Redis does not answer.", "No hecho: Redis no responde."},

	"chat":         {"Front desk", "Recepción"},
	"chat.empty":   {"Say what you need, or pick a suggestion.", "Diga qué necesita o elija una sugerencia."},
	"chat.you":     {"Your message", "Su mensaje"},
	"chat.hint":    {"book room 101 for 2 nights from friday", "reservar la habitación 101 por 2 noches desde viernes"},
	"chat.send":    {"Send", "Enviar"},
	"chat.chips":   {"Suggestions", "Sugerencias"},
	"chat.bot":     {"Desk", "Recepción"},
	"chat.unsaved": {"Not remembered: the store of conversations did not answer.", "No guardado: el almacén de conversaciones no respondió."},
	"chat.traces":  {"How this answer came about", "Cómo se llegó a esta respuesta"},

	"calendar":      {"The next fourteen nights", "Las próximas catorce noches"},
	"calendar.hint": {"Press a free night to hold it.", "Pulse una noche libre para guardarla."},
	"room":          {"Room", "Hab."},
	"reset":         {"Empty the hotel", "Vaciar el hotel"},
	"cell.free":     {"free", "libre"},
	"cell.wasFree":  {"free when last seen", "libre la última vez"},
	"cell.held":     {"held by %s", "guardada por %s"},
	"cell.booked":   {"booked by %s", "reservada por %s"},
	"cell.clash":    {"refused just now", "rechazada ahora mismo"},
	"legend.free":   {"free", "libre"},
	"legend.held":   {"held, with time left", "guardada, con su tiempo"},
	"legend.booked": {"booked", "reservada"},
	"legend.mine":   {"yours", "suya"},
	"legend.clash":  {"refused", "rechazada"},

	"breaker":           {"Circuit breaker", "Cortacircuitos"},
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
	"probe":             {"tries again in", "prueba de nuevo en"},
	"window":            {"Last 10 s: %d answered, %d failed.", "Últimos 10 s: %d respondidas, %d fallidas."},
	"opened.row":        {"Opened by %d failures in a row.", "Lo abrieron %d fallos seguidos."},
	"opened.rate":       {"Opened by %d failures beside %d answers.", "Lo abrieron %d fallos junto a %d respuestas."},
	"rejected":          {"%d calls spared so far.", "%d llamadas ahorradas hasta ahora."},

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

	"storm":          {"A thousand guests ask for %d rooms at once, and then again without locks.", "Mil huéspedes piden %d habitaciones a la vez, y luego otra vez sin cerrojos."},
	"storm.start":    {"Let them in", "Que entren"},
	"storm.running":  {"They are fighting for rooms…", "Están peleando por las habitaciones…"},
	"storm.alike":    {"Both begin with the same bookings and the same guests; only the locks differ. Expect 0 beside many.", "Ambas empiezan con las mismas reservas y los mismos huéspedes; solo cambian los cerrojos. Espere 0 junto a muchas."},
	"storm.with":     {"with locks", "con cerrojos"},
	"storm.without":  {"without", "sin ellos"},
	"storm.booked":   {"booked", "reservas"},
	"storm.refused":  {"refused", "rechazos"},
	"storm.fallback": {"not reached", "sin sistema"},
	"storm.errors":   {"errors", "errores"},
	"storm.p99":      {"p99, ms", "p99, ms"},
	"storm.double":   {"double bookings", "dobles reservas"},

	"sessions":             {"Conversations", "Conversaciones"},
	"sessions.active":      {"%d alive", "%d vivas"},
	"sessions.none":        {"No one has talked here yet.", "Aún no ha hablado nadie."},
	"sessions.corrupt":     {"Corrupt", "Corromper"},
	"sessions.of":          {"the conversation of %s", "la conversación de %s"},
	"sessions.left":        {"time left of %s", "tiempo que queda a %s"},
	"sessions.sweep":       {"Clean up now", "Limpiar ahora"},
	"sessions.removed":     {"Removed as unreadable or ended:", "Retiradas por ilegibles o terminadas:"},
	"ended.idle":           {"idle", "inactivas"},
	"ended.absolute":       {"too old", "demasiado viejas"},
	"ended.corrupted":      {"corrupted", "corruptas"},
	"ended.invalid_format": {"of invalid format", "de formato inválido"},
	"ended.vanished":       {"vanished", "desaparecidas"},

	"ended.deleted": {"deleted", "borradas"},
	"ended.evicted": {"evicted", "desalojadas"},
	"ended.rotated": {"renamed", "renombradas"},

	"audit":         {"Audit trail", "Rastro de auditoría"},
	"audit.counts":  {"%d recorded, %d written, %d waiting, %d dropped", "%d anotados, %d escritos, %d en espera, %d perdidos"},
	"audit.time":    {"Time", "Hora"},
	"audit.event":   {"Event", "Suceso"},
	"audit.who":     {"Who", "Quién"},
	"audit.what":    {"What", "Qué"},
	"audit.none":    {"Nothing has happened yet.", "Aún no ha pasado nada."},
	"audit.offline": {"The database is down. Locks and bookings go on; events wait here.", "La base está caída. Cerrojos y reservas siguen; los sucesos esperan."},

	"verify.none":    {"Verify compares the rows with their seals. It has no result yet.", "Verify compara las filas con sus sellos. Aún no hay resultado."},
	"verify.intact":  {"Verify at %s: %d sealed rows, each as it was sealed.", "Verify a las %s: %d filas selladas, cada una como se selló."},
	"verify.changed": {"Verify at %s: this row was changed after it was sealed:", "Verify a las %s: esta fila se cambió después de sellarse:"},
	"verify.more":    {"Findings in all: %d. Intact rows: %d.", "Hallazgos en total: %d. Filas intactas: %d."},
	"verify.row":     {"changed", "cambiada"},

	"metrics":         {"The last minute", "El último minuto"},
	"metrics.all":     {"all metrics", "todas las métricas"},
	"chart.messages":  {"messages", "mensajes"},
	"chart.answer":    {"answer time", "respuesta"},
	"chart.pmsCalls":  {"PMS calls", "al PMS"},
	"chart.pmsTime":   {"PMS time", "tiempo del PMS"},
	"chart.fallbacks": {"fallbacks", "alternativas"},
	"chart.conflicts": {"lock conflicts", "conflictos"},
	"chart.held":      {"locks held", "cerrojos"},
	"chart.queue":     {"audit queue", "en espera"},
	"chart.most":      {"most: %s", "máx.: %s"},

	"alerts":            {"Alerts that come along", "Alertas incluidas"},
	"alerts.note":       {"Prometheus watches for them, this page does not. Each leads to its runbook: what it means and what to do.", "De ellas avisa Prometheus, no esta página. Cada una lleva a su guía (en inglés): qué significa y qué hacer."},
	"severity.critical": {"critical", "críticas"},
	"severity.warning":  {"warning", "avisos"},

	"trace.intent":        {"intent", "intención"},
	"trace.breaker":       {"breaker", "cortacircuitos"},
	"trace.lock":          {"lock", "cerrojo"},
	"trace.audit":         {"audit", "auditoría"},
	"trace.events":        {"%d", "%d"},
	"trace.notAsked":      {"not asked", "sin llamar"},
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
