/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names and places of known folders. See appv_known.h. */
#include "config.h"

#include "src/appv_known.h"

#include <string.h>

#include "src/compiler.h"
#include "src/fold.h"

#define MENU        "AppData\\Roaming\\Microsoft\\Windows\\Start Menu"
#define COMMON_MENU "C:\\ProgramData\\Microsoft\\Windows\\Start Menu"
/* Wine's user, in every prefix (server/token.c). */
#define WINE_USER_SID "S-1-5-21-0-0-0-1000"

static const struct appv_known table[] = {
    { "AppVPackageDrive", "C:", NULL },
    { "AppVCurrentUserSID", WINE_USER_SID, NULL },
    { "CurrentUserSID", WINE_USER_SID, NULL },
    { "AppVAllUsersDir", "C:\\ProgramData", "Common AppData" },
    /* Programs and the system. */
    { "ProgramFiles", "C:\\Program Files", "ProgramFilesX64" },
    { "ProgramFilesX64", "C:\\Program Files", NULL },
    { "ProgramFilesX86", "C:\\Program Files (x86)", NULL },
    { "ProgramFilesCommon", "C:\\Program Files\\Common Files", "ProgramFilesCommonX64" },
    { "ProgramFilesCommonX64", "C:\\Program Files\\Common Files", NULL },
    { "ProgramFilesCommonX86", "C:\\Program Files (x86)\\Common Files", NULL },
    { "Default Gadgets", "C:\\Program Files\\Windows Sidebar\\Gadgets", NULL },
    { "Windows", "C:\\windows", NULL },
    { "System", "C:\\windows\\system32", "SystemX64" },
    { "SystemX64", "C:\\windows\\system32", NULL },
    { "SystemX86", "C:\\windows\\syswow64", NULL },
    { "Fonts", "C:\\windows\\Fonts", NULL },
    { "ResourceDir", "C:\\windows\\resources", NULL },
    { "AppVSystem32Catroot", "C:\\windows\\system32\\catroot", NULL },
    { "AppVSystem32Catroot2", "C:\\windows\\system32\\catroot2", NULL },
    { "AppVSystem32DriversEtc", "C:\\windows\\system32\\drivers\\etc", NULL },
    { "AppVSystem32Driverstore", "C:\\windows\\system32\\driverstore", NULL },
    { "AppVSystem32Logfiles", "C:\\windows\\system32\\logfiles", NULL },
    { "AppVSystem32Spool", "C:\\windows\\system32\\spool", NULL },
    /* All users. */
    { "Common AppData", "C:\\ProgramData", NULL },
    { "Common Start Menu", COMMON_MENU, NULL },
    { "Common Programs", COMMON_MENU "\\Programs", NULL },
    { "Common Startup", COMMON_MENU "\\Programs\\Startup", NULL },
    { "Common Administrative Tools", COMMON_MENU "\\Programs\\Administrative Tools", NULL },
    { "Common Templates", "C:\\ProgramData\\Microsoft\\Windows\\Templates", NULL },
    { "CommonRingtones", "C:\\ProgramData\\Microsoft\\Windows\\Ringtones", NULL },
    { "PublicGameTasks", "C:\\ProgramData\\Microsoft\\Windows\\GameExplorer", NULL },
    { "Device Metadata Store", "C:\\ProgramData\\Microsoft\\Windows\\DeviceMetadataStore", NULL },
    { "Public", "C:\\users\\Public", NULL },
    { "Common Desktop", "C:\\users\\Public\\Desktop", NULL },
    { "Common Documents", "C:\\users\\Public\\Documents", NULL },
    { "CommonDownloads", "C:\\users\\Public\\Downloads", NULL },
    { "CommonMusic", "C:\\users\\Public\\Music", NULL },
    { "CommonPictures", "C:\\users\\Public\\Pictures", NULL },
    { "CommonVideo", "C:\\users\\Public\\Videos", NULL },
    { "SampleMusic", "C:\\users\\Public\\Music\\Sample Music", NULL },
    { "SamplePictures", "C:\\users\\Public\\Pictures\\Sample Pictures", NULL },
    { "SampleVideos", "C:\\users\\Public\\Videos\\Sample Videos", NULL },
    { "PublicLibraries", "C:\\users\\Public\\Libraries", NULL },
    { "RecordedTVLibrary", "C:\\users\\Public\\Libraries\\RecordedTV.library-ms", NULL },
    { "UserProfiles", "C:\\users", NULL },
    /* The user. */
    { "Profile", "~", NULL },
    { "AppData", "~\\AppData\\Roaming", NULL },
    { "Local AppData", "~\\AppData\\Local", NULL },
    { "LocalAppDataLow", "~\\AppData\\LocalLow", NULL },
    { "Desktop", "~\\Desktop", NULL },
    { "Personal", "~\\Documents", NULL },
    { "Downloads", "~\\Downloads", NULL },
    { "Favorites", "~\\Favorites", NULL },
    { "Links", "~\\Links", NULL },
    { "Contacts", "~\\Contacts", NULL },
    { "SavedGames", "~\\Saved Games", NULL },
    { "Searches", "~\\Searches", NULL },
    { "My Music", "~\\Music", NULL },
    { "My Pictures", "~\\Pictures", NULL },
    { "My Video", "~\\Videos", NULL },
    { "Start Menu", "~\\" MENU, NULL },
    { "Programs", "~\\" MENU "\\Programs", NULL },
    { "Startup", "~\\" MENU "\\Programs\\Startup", NULL },
    { "Administrative Tools", "~\\" MENU "\\Programs\\Administrative Tools", NULL },
    { "Templates", "~\\AppData\\Roaming\\Microsoft\\Windows\\Templates", NULL },
    { "Recent", "~\\AppData\\Roaming\\Microsoft\\Windows\\Recent", NULL },
    { "SendTo", "~\\AppData\\Roaming\\Microsoft\\Windows\\SendTo", NULL },
    { "NetHood", "~\\AppData\\Roaming\\Microsoft\\Windows\\Network Shortcuts", NULL },
    { "PrintHood", "~\\AppData\\Roaming\\Microsoft\\Windows\\Printer Shortcuts", NULL },
    { "Libraries", "~\\AppData\\Roaming\\Microsoft\\Windows\\Libraries", NULL },
    { "Quick Launch", "~\\AppData\\Roaming\\Microsoft\\Internet Explorer\\Quick Launch", NULL },
    { "Cookies", "~\\AppData\\Local\\Microsoft\\Windows\\INetCookies", NULL },
    { "Cache", "~\\AppData\\Local\\Microsoft\\Windows\\INetCache", NULL },
    { "History", "~\\AppData\\Local\\Microsoft\\Windows\\History", NULL },
    { "CD Burning", "~\\AppData\\Local\\Microsoft\\Windows\\Burn\\Burn", NULL },
    { "GameTasks", "~\\AppData\\Local\\Microsoft\\Windows\\GameExplorer", NULL },
    { "Ringtones", "~\\AppData\\Local\\Microsoft\\Windows\\Ringtones", NULL },
    { "Gadgets", "~\\AppData\\Local\\Microsoft\\Windows Sidebar\\Gadgets", NULL },
    { "UserProgramFiles", "~\\AppData\\Local\\Programs", NULL },
    { "UserProgramFilesCommon", "~\\AppData\\Local\\Programs\\Common", NULL },
};

const struct appv_known *appv_known_find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (fold_equal(name, len, table[i].name, strlen(table[i].name)))
            return &table[i];
    return NULL;
}
