/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/appx_manifest.c. */
#include "config.h"

#include <stdio.h>

#include "src/appx_manifest.h"
#include "tests/unit.h"

#define WIN10 "http://schemas.microsoft.com/appx/manifest/foundation/windows10"

static const char msix[] =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n"
    "<Package xmlns='" WIN10
    "' xmlns:uap='http://schemas.microsoft.com/appx/manifest/uap/windows10'"
    " xmlns:uap3='http://schemas.microsoft.com/appx/manifest/uap/windows10/3'"
    " xmlns:uap10='http://schemas.microsoft.com/appx/manifest/uap/windows10/10'"
    " xmlns:desktop='http://schemas.microsoft.com/appx/manifest/desktop/windows10'"
    " xmlns:rescap='" WIN10 "/restrictedcapabilities' IgnorableNamespaces='uap'>"
    "<Identity Name='sample.editor' Publisher='CN=Sample &amp; Sons, C=DE' Version='1.2.3.4'"
    " ProcessorArchitecture='x64' ResourceId='rid'/>"
    "<Properties><DisplayName> Sample Editor </DisplayName>"
    "<PublisherDisplayName>Sample</PublisherDisplayName><Description>Edits</Description>"
    "<Logo>Assets\\Store.png</Logo></Properties>"
    "<Resources><Resource Language='en-us'/><Resource uap:Scale='140'/></Resources>"
    "<Dependencies>"
    "<TargetDeviceFamily Name='Windows.Desktop' MinVersion='10.0.1.0' MaxVersionTested='10.0.2.0'/>"
    "<PackageDependency Name='VCLibs' MinVersion='14.0.0.0' Publisher='CN=M'/>"
    "<uap3:MainPackageDependency Name='main'/>"
    "<win32:ExternalDependency xmlns:win32='urn:x' Name='other' MinVersion='1.0.0.0'/>"
    "</Dependencies>"
    "<Capabilities><Capability Name='internetClient'/><rescap:Capability Name='runFullTrust'/>"
    "<DeviceCapability Name='webcam'><Device/></DeviceCapability></Capabilities>"
    "<Applications><Application Id='App' Executable='VFS\\ed.exe'"
    " EntryPoint='Windows.FullTrustApplication' uap10:Parameters='/x \"y\"'"
    " uap10:CurrentDirectoryPath='VFS'>"
    "<uap:VisualElements DisplayName='Editor' Description='It edits' Square44x44Logo='a.png'/>"
    "<Extensions><uap:Extension Category='windows.fileTypeAssociation'>"
    "<uap:FileTypeAssociation Name='texts'><uap:SupportedFileTypes>"
    "<uap:FileType ContentType='text/plain'>.txt</uap:FileType><uap:FileType>.log</uap:FileType>"
    "</uap:SupportedFileTypes></uap:FileTypeAssociation></uap:Extension>"
    "<uap:Extension Category='windows.protocol'><uap:Protocol Name='sample'/></uap:Extension>"
    "<uap:Extension Category='windows.shareTarget'><uap:ShareTarget><uap:SupportedFileTypes>"
    "<uap:FileType>.none</uap:FileType></uap:SupportedFileTypes></uap:ShareTarget></uap:Extension>"
    "<uap3:Extension Category='windows.appExecutionAlias'><uap3:AppExecutionAlias>"
    "<desktop:ExecutionAlias Alias='ed.exe'/></uap3:AppExecutionAlias></uap3:Extension>"
    "</Extensions></Application>"
    "<Application Id='Second' StartPage='index.html'>"
    "<uap:VisualElements AppListEntry='none'/></Application></Applications></Package>";

static const char appv[] =
    "<Package IgnorableNamespaces='appv' xmlns='http://schemas.microsoft.com/appx/2010/manifest'"
    " xmlns:appv='http://schemas.microsoft.com/appv/2010/manifest'>"
    "<Identity Name='Reserved' Publisher='CN=Reserved' Version='0.0.0.1'"
    " appv:PackageId='1a2ad958-75d0-440b-9e6b-1d5e119713ee'"
    " appv:VersionId='466ada43-2c70-4757-ae56-9dc9919cf7b2'/>"
    "<Properties><DisplayName>Browser</DisplayName><Description>Reserved</Description>"
    "<appv:AppVPackageDescription>Browses</appv:AppVPackageDescription></Properties>"
    "<Prerequisites><OSMinVersion>6.1</OSMinVersion><OSMaxVersionTested>6.2</OSMaxVersionTested>"
    "<appv:TargetOSes SequencingStationProcessorArchitecture='x64'/></Prerequisites>"
    "<appv:Extensions><appv:Extension Category='AppV.Shortcut'><appv:Shortcut>"
    "<appv:File>[{Common Programs}]\\Browser.lnk</appv:File>"
    "<appv:Target>[{ProgramFilesX86}]\\b.exe</appv:Target><appv:Icon>b.ico</appv:Icon>"
    "<appv:Arguments>-safe</appv:Arguments><appv:WorkingDirectory>C:\\</appv:WorkingDirectory>"
    "<appv:ApplicationId>[{ProgramFilesX86}]\\b.exe</appv:ApplicationId></appv:Shortcut>"
    "</appv:Extension><appv:Extension Category='AppV.FileTypeAssociation'>"
    "<appv:FileTypeAssociation><appv:FileExtension MimeAssociation='true'>"
    "<appv:Name>.htm</appv:Name><appv:ProgId>BrowserHTML</appv:ProgId>"
    "<appv:ContentType>text/html</appv:ContentType></appv:FileExtension>"
    "<appv:ProgId><appv:Name>BrowserHTML</appv:Name><appv:ShellCommands><appv:ShellCommand>"
    "<appv:ApplicationId>[{ProgramFilesX86}]\\b.exe</appv:ApplicationId>"
    "<appv:Name>open</appv:Name></appv:ShellCommand></appv:ShellCommands></appv:ProgId>"
    "</appv:FileTypeAssociation></appv:Extension><appv:Extension Category='AppV.URLProtocol'>"
    "<appv:URLProtocol><appv:Name>ftp</appv:Name><appv:ApplicationURLProtocol>"
    "<appv:ShellCommands><appv:ShellCommand>"
    "<appv:ApplicationId>[{ProgramFilesX86}]\\b.exe</appv:ApplicationId></appv:ShellCommand>"
    "</appv:ShellCommands></appv:ApplicationURLProtocol></appv:URLProtocol></appv:Extension>"
    "</appv:Extensions><appv:Applications>"
    "<appv:Application Id='[{ProgramFilesX86}]\\b.exe' Origin='Application'>"
    "<appv:Target>[{ProgramFilesX86}]\\b.exe</appv:Target><appv:VisualElements>"
    "<appv:Name>Browser</appv:Name><appv:Icon>b.ico</appv:Icon><appv:Version>3.6</appv:Version>"
    "</appv:VisualElements></appv:Application></appv:Applications></Package>";

static struct appx_manifest *read_text(const char *text)
{
    struct err e = { .kind = ERR_NONE };
    struct appx_manifest *m = NULL;
    if (appx_manifest_read(text, strlen(text), &m, &e))
        printf("\n    %.60s: %s", text, e.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    return m;
}

static void check_refused(const char *text, enum err_kind want)
{
    struct err e = { .kind = ERR_NONE };
    struct appx_manifest *m = NULL;
    CU_ASSERT(appx_manifest_read(text, strlen(text), &m, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, want);
    CU_ASSERT_PTR_NULL(m);
    CU_ASSERT(*e.text);
}

static void msix_identity_and_properties_are_read(void)
{
    struct appx_manifest *m = read_text(msix);
    CU_ASSERT_EQUAL(m->schema, APPX_SCHEMA_MSIX);
    CU_ASSERT_STRING_EQUAL(m->identity.name, "sample.editor");
    CU_ASSERT_STRING_EQUAL(m->identity.publisher, "CN=Sample & Sons, C=DE");
    CU_ASSERT_STRING_EQUAL(m->identity.version, "1.2.3.4");
    CU_ASSERT_STRING_EQUAL(m->identity.architecture, "x64");
    CU_ASSERT_STRING_EQUAL(m->identity.resource_id, "rid");
    CU_ASSERT_STRING_EQUAL(m->package_guid, "");
    CU_ASSERT_STRING_EQUAL(m->display_name, "Sample Editor");
    CU_ASSERT_STRING_EQUAL(m->publisher_display_name, "Sample");
    CU_ASSERT_STRING_EQUAL(m->description, "Edits");
    CU_ASSERT_STRING_EQUAL(m->logo, "Assets\\Store.png");
    CU_ASSERT(!m->is_framework && !m->is_resource);
    CU_ASSERT_EQUAL_FATAL(m->resource_count, 2);
    CU_ASSERT_STRING_EQUAL(m->resources[0].language, "en-us");
    CU_ASSERT_STRING_EQUAL(m->resources[1].scale, "140");
    appx_manifest_free(m);
}

static void msix_applications_and_extensions_are_read(void)
{
    struct appx_manifest *m = read_text(msix);
    CU_ASSERT_EQUAL_FATAL(m->application_count, 2);
    const struct appx_application *a = m->applications;
    CU_ASSERT_STRING_EQUAL(a->id, "App");
    CU_ASSERT_STRING_EQUAL(a->executable, "VFS\\ed.exe");
    CU_ASSERT_STRING_EQUAL(a->arguments, "/x \"y\"");
    CU_ASSERT_STRING_EQUAL(a->working_dir, "VFS");
    CU_ASSERT_STRING_EQUAL(a->entry_point, "Windows.FullTrustApplication");
    CU_ASSERT_STRING_EQUAL(a->display_name, "Editor");
    CU_ASSERT_STRING_EQUAL(a->description, "It edits");
    CU_ASSERT_STRING_EQUAL(a->icon, "a.png");
    CU_ASSERT(!a->hidden && a[1].hidden);
    CU_ASSERT_STRING_EQUAL(a[1].start_page, "index.html");
    CU_ASSERT_EQUAL_FATAL(m->file_type_count, 2);
    CU_ASSERT_STRING_EQUAL(m->file_types[0].name, ".txt");
    CU_ASSERT_STRING_EQUAL(m->file_types[0].type, "texts");
    CU_ASSERT_STRING_EQUAL(m->file_types[0].mime, "text/plain");
    CU_ASSERT_STRING_EQUAL(m->file_types[1].name, ".log");
    CU_ASSERT_STRING_EQUAL(m->file_types[1].application, "App");
    CU_ASSERT_EQUAL_FATAL(m->protocol_count, 1);
    CU_ASSERT_STRING_EQUAL(m->protocols[0].name, "sample");
    CU_ASSERT_STRING_EQUAL(m->protocols[0].application, "App");
    CU_ASSERT_EQUAL_FATAL(m->command_count, 1);
    CU_ASSERT_STRING_EQUAL(m->commands[0].name, "ed.exe");
    CU_ASSERT_EQUAL(m->shortcut_count, 0);
    appx_manifest_free(m);
}

static void msix_dependencies_and_capabilities_are_read(void)
{
    struct appx_manifest *m = read_text(msix);
    static const enum appx_dependency_kind kinds[] = { APPX_NEEDS_DEVICE_FAMILY, APPX_NEEDS_PACKAGE,
                                                       APPX_NEEDS_MAIN_PACKAGE, APPX_NEEDS_OTHER };
    CU_ASSERT_EQUAL_FATAL(m->dependency_count, ARRAY_LEN(kinds));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        CU_ASSERT_EQUAL(m->dependencies[i].kind, kinds[i]);
    CU_ASSERT_STRING_EQUAL(m->dependencies[0].name, "Windows.Desktop");
    CU_ASSERT_STRING_EQUAL(m->dependencies[0].min_version, "10.0.1.0");
    CU_ASSERT_STRING_EQUAL(m->dependencies[0].max_tested, "10.0.2.0");
    CU_ASSERT_STRING_EQUAL(m->dependencies[1].publisher, "CN=M");
    CU_ASSERT_EQUAL_FATAL(m->capability_count, 3);
    CU_ASSERT(!m->capabilities[0].restricted && !m->capabilities[0].device);
    CU_ASSERT_STRING_EQUAL(m->capabilities[1].name, "runFullTrust");
    CU_ASSERT(m->capabilities[1].restricted && m->capabilities[2].device);
    appx_manifest_free(m);
}

static void appv_package_is_read(void)
{
    struct appx_manifest *m = read_text(appv);
    CU_ASSERT_EQUAL(m->schema, APPX_SCHEMA_APPV);
    CU_ASSERT_STRING_EQUAL(m->package_guid, "1a2ad958-75d0-440b-9e6b-1d5e119713ee");
    CU_ASSERT_STRING_EQUAL(m->version_guid, "466ada43-2c70-4757-ae56-9dc9919cf7b2");
    CU_ASSERT_STRING_EQUAL(m->display_name, "Browser");
    CU_ASSERT_STRING_EQUAL(m->description, "Browses");
    CU_ASSERT_STRING_EQUAL(m->os_min_version, "6.1");
    CU_ASSERT_STRING_EQUAL(m->os_max_tested, "6.2");
    CU_ASSERT_STRING_EQUAL(m->sequencer_architecture, "x64");
    CU_ASSERT_EQUAL_FATAL(m->application_count, 1);
    const struct appx_application *a = m->applications;
    CU_ASSERT_STRING_EQUAL(a->id, "[{ProgramFilesX86}]\\b.exe");
    CU_ASSERT_STRING_EQUAL(a->executable, "[{ProgramFilesX86}]\\b.exe");
    CU_ASSERT_STRING_EQUAL(a->display_name, "Browser");
    CU_ASSERT_STRING_EQUAL(a->icon, "b.ico");
    CU_ASSERT_STRING_EQUAL(a->version, "3.6");
    appx_manifest_free(m);
}

static void appv_extensions_are_read(void)
{
    struct appx_manifest *m = read_text(appv);
    CU_ASSERT_EQUAL_FATAL(m->shortcut_count, 1);
    CU_ASSERT_STRING_EQUAL(m->shortcuts[0].file, "[{Common Programs}]\\Browser.lnk");
    CU_ASSERT_STRING_EQUAL(m->shortcuts[0].target, "[{ProgramFilesX86}]\\b.exe");
    CU_ASSERT_STRING_EQUAL(m->shortcuts[0].arguments, "-safe");
    CU_ASSERT_STRING_EQUAL(m->shortcuts[0].working_dir, "C:\\");
    CU_ASSERT_STRING_EQUAL(m->shortcuts[0].icon, "b.ico");
    CU_ASSERT_STRING_EQUAL(m->shortcuts[0].application, "[{ProgramFilesX86}]\\b.exe");
    CU_ASSERT_EQUAL_FATAL(m->file_type_count, 1);
    CU_ASSERT_STRING_EQUAL(m->file_types[0].name, ".htm");
    CU_ASSERT_STRING_EQUAL(m->file_types[0].type, "BrowserHTML");
    CU_ASSERT_STRING_EQUAL(m->file_types[0].mime, "text/html");
    CU_ASSERT_STRING_EQUAL(m->file_types[0].application, "[{ProgramFilesX86}]\\b.exe");
    CU_ASSERT_EQUAL_FATAL(m->protocol_count, 1);
    CU_ASSERT_STRING_EQUAL(m->protocols[0].name, "ftp");
    CU_ASSERT_STRING_EQUAL(m->protocols[0].application, "[{ProgramFilesX86}]\\b.exe");
    appx_manifest_free(m);
}

static void windows_8_packages_and_flags_are_read(void)
{
    struct appx_manifest *m =
        read_text("<Package xmlns='http://schemas.microsoft.com/appx/2010/manifest'>"
                  "<Identity Name='a'/><Properties><Framework>true</Framework></Properties>"
                  "<Prerequisites><OSMinVersion>6.2.1</OSMinVersion></Prerequisites></Package>");
    CU_ASSERT_EQUAL(m->schema, APPX_SCHEMA_WINDOWS_8);
    CU_ASSERT(m->is_framework && !m->is_resource);
    CU_ASSERT_STRING_EQUAL(m->os_min_version, "6.2.1");
    appx_manifest_free(m);
    m = read_text("<Package xmlns='" WIN10 "'><Identity Name='a'/><Properties>"
                  "<ResourcePackage>true</ResourcePackage></Properties></Package>");
    CU_ASSERT(!m->is_framework && m->is_resource);
    CU_ASSERT_EQUAL(m->application_count, 0);
    appx_manifest_free(m);
    CU_ASSERT_STRING_EQUAL(appx_schema_name(APPX_SCHEMA_APPV), "App-V");
    appx_manifest_free(NULL);
}

static void bad_documents_are_refused(void)
{
    check_refused("", ERR_XML);
    check_refused("<Bundle><Identity Name='a'/></Bundle>", ERR_XML);
    check_refused("<Package/>", ERR_XML);
    check_refused("<Package><Identity/></Package>", ERR_XML);
    check_refused("<Package><Identity Name='a'/>", ERR_XML);
    check_refused("<!DOCTYPE P><Package><Identity Name='a'/></Package>", ERR_XML_ENTITY);
}

static void odd_nesting_is_read_in_bounded_time(void)
{
    enum { TYPES = 20000 };
    static const char unit[] = "<FileExtension><N/></FileExtension>";
    char *text = malloc(TYPES * sizeof unit + 400);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    size_t n = (size_t)sprintf(text, "<Package><Identity Name='a'/><FileTypeAssociation Name='o'>"
                                     "<Name>x<FileTypeAssociation Name='i'><SupportedFileTypes>"
                                     "<FileType>.in</FileType></SupportedFileTypes>"
                                     "</FileTypeAssociation></Name>");
    for (unsigned i = 0; i < TYPES; i++)
        n += (size_t)sprintf(text + n, unit);
    (void)sprintf(text + n, "</FileTypeAssociation></Package>");
    struct appx_manifest *m = read_text(text);
    free(text);
    CU_ASSERT_EQUAL_FATAL(m->file_type_count, TYPES + 1);
    CU_ASSERT_STRING_EQUAL(m->file_types[TYPES].name, ".in"); /* after those around it */
    CU_ASSERT_STRING_EQUAL(m->file_types[TYPES].type, "i");
    appx_manifest_free(m);
}

UNIT_MAIN("appx_manifest", TEST(msix_identity_and_properties_are_read),
          TEST(msix_applications_and_extensions_are_read),
          TEST(msix_dependencies_and_capabilities_are_read), TEST(appv_package_is_read),
          TEST(appv_extensions_are_read), TEST(windows_8_packages_and_flags_are_read),
          TEST(bad_documents_are_refused), TEST(odd_nesting_is_read_in_bounded_time))
